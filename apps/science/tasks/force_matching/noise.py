"""Force matching on frames displaced by noise, whose own force is known.

A frame r with mean force F(r) is displaced to x = r + s e, e standard normal. Both

    F(r)    and    -kT e / s

have the mean force of the blurred density p_s(x) as their mean at fixed x, the first
since forces of a sum are those of either part, the second by Tweedie's formula. So has
every mixture a F(r) + (1 - a)(-kT e / s); its variance is least where the parts are
weighed by the other's, a = B / (A + B), A = <F^2>, B = (kT / s)^2 per component. Noise
that is free to draw thereby stands in for forces that are dear to sample (Durumeric et
al., Learning data efficient coarse-grained molecular dynamics from forces and noise,
arXiv:2407.01286, 2024; they weigh by an optimised force map, here each bead by its own
number). The learnt density is the blurred one: s belongs below the width of a bond.

Noise that small has a force of great spread. In pairs r + s e, r - s e it cancels: with
f the model and small s, the cross term of the two squared errors is

    (1 - a) (kT / s) e . [f(r + s e) - f(r - s e)]  ->  2 (1 - a) kT e . (grad f) e

whose mean over e is 2 (1 - a) kT div f, score matching (Hyvaerinen, J. Mach. Learn.
Res. 6, 695, 2005; sliced: Song et al., UAI 2019). So positions, too, say what the mean
force is, and where the forces' spread is large they say it better than forces do.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np
import torch
from torch import Tensor

from apps.science.arrays import IntArray
from apps.science.cg.force_field import parse_prior
from apps.science.errors import DataError
from apps.science.seeds import derive_seed
from apps.science.tasks.force_matching.data import Protein, TrainingData
from apps.science.units import thermal_energy

if TYPE_CHECKING:
    from apps.science.cg.prior.terms import Prior

_FRAMES_MEASURED: Final = 4096
"""Enough to know the mean square of a force to a few per cent."""


@dataclass(frozen=True)
class Noise:
    """How the frames of one protein are displaced.

    Attributes
    ----------
    width : s, Angstrom
    force : kT / s, kcal/mol/Angstrom
    share : (n_beads, 1), a: how much of the target is the frame's own force
    paired : whether each frame is displaced both ways
    sign : of the displacement
    """

    prior: "Prior"
    width: float
    force: float
    share: Tensor
    paired: bool = False
    sign: float = 1.0

    @property
    def mirrored(self) -> "Noise":
        """The same, displacing the other way."""
        return replace(self, sign=-self.sign)

    def displace(
        self, positions: Tensor, targets: Tensor, normal: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Return displaced positions and what the prior leaves to learn there.

        Parameters
        ----------
        positions, targets, normal : (n_frames, n_beads, 3)
        """
        normal = self.sign * normal
        moved = positions + self.width * normal
        _, before = self.prior.energy_and_forces(positions)
        _, after = self.prior.energy_and_forces(moved)
        mixed = mix_forces(targets + before, normal, self.force, self.share)
        return moved, mixed - after


def mix_forces(forces: Tensor, normal: Tensor, force: float, share: Tensor) -> Tensor:
    """Return a F - (1 - a) (kT / s) e, an unbiased force at x = r + s e."""
    return share * forces - (1.0 - share) * force * normal


def weigh_parts(forces: Tensor, weight: Tensor, force: float) -> Tensor:
    """Return the share (n_beads, 1) of F that makes the mixture's variance least.

    Parameters
    ----------
    forces : (n_frames, n_beads, 3), kcal/mol/Angstrom
    weight : (n_frames,), of each frame
    force : kT / s
    """
    square = forces.square().mean(dim=2) * (weight / weight.sum()).unsqueeze(-1)
    mean = square.sum(dim=0).unsqueeze(-1)
    return force * force / (mean + force * force)


def prepare_noise(
    data: TrainingData,
    width: float,
    device: str,
    paired: bool = False,
    force_share: float | None = None,
) -> Sequence[Noise | None]:
    """Return the noise of every protein; none for a width of zero.

    Parameters
    ----------
    force_share : a of all beads; None: what makes a target's variance least

    Raises
    ------
    DataError
        If the set does not say its prior and temperature.
    """
    if width == 0.0:
        return [None] * len(data.proteins)
    found = [_prepare(protein, width, device) for protein in data.proteins]
    if force_share is not None:
        found = [
            replace(one, share=torch.full_like(one.share, force_share)) for one in found
        ]
    return [replace(one, paired=paired) for one in found]


def _prepare(protein: Protein, width: float, device: str) -> Noise:
    if not protein.prior_yaml or not protein.mapping_json:
        raise DataError(
            f"training.noise_angstrom needs the prior at displaced frames, but the "
            f"dataset does not hold the prior of {protein.key}. Write it again."
        )
    prior, _, temperature = parse_prior(protein.prior_yaml, protein.mapping_json)
    if temperature is None:
        raise DataError(
            f"training.noise_angstrom needs a temperature, but the prior of "
            f"{protein.key} names none. Add weft: temperature_kelvin to prior.yaml."
        )
    prior = prior.to(device=device)
    force = thermal_energy(temperature) / width
    n = len(protein.train)
    rows = np.unique(np.linspace(0, n - 1, min(n, _FRAMES_MEASURED)).astype(int))
    positions, targets = protein.train.read(rows)
    forces = targets + prior.energy_and_forces(positions)[1]
    weight = torch.as_tensor(protein.train.weight[rows], device=device)
    share = weigh_parts(forces, weight.to(forces.dtype), force)
    return Noise(prior, width, force, share)


def draw_normal(
    shape: tuple[int, ...], places: IntArray, seed: int, purpose: str, *counters: int
) -> Tensor:
    """Return rows ``places`` of an array of normal numbers, alike on every process."""
    generator = torch.Generator().manual_seed(derive_seed(seed, purpose, *counters))
    return torch.randn(shape, generator=generator)[torch.as_tensor(places)]
