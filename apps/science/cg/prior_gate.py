"""Prior-only dynamics as a gate: a prior that breaks here never reaches training."""

import logging
import math
from dataclasses import dataclass

import torch

from apps.science.arrays import Array
from apps.science.cg.mapping import Mapping
from apps.science.cg.prior_terms import Prior
from apps.science.errors import NumericalError
from apps.science.seeds import derive_seed
from apps.science.units import ACCELERATION, FS_PER_PS, thermal_energy

_log = logging.getLogger(__name__)

_STEPS_PER_CHECK = 10
_SIGMAS = 5.0
_FALSE_ALARM = 1e-4


@dataclass(frozen=True)
class PriorCheck:
    """What the gate saw: the largest bond deviation, in standard deviations."""

    largest_deviation: float
    limit: float
    timestep_fs: float


def choose_timestep(prior: Prior, mapping: Mapping, largest_fs: float = 4.0) -> float:
    """Return a time step, fs, of at most a twentieth of the stiffest bond's period."""
    bonds = prior.bonds
    if bonds is None:
        return largest_fs
    masses = mapping.masses_amu
    shortest = math.inf
    for (i, j), k in zip(mapping.bonds, bonds.k.tolist(), strict=True):
        reduced = masses[i] * masses[j] / (masses[i] + masses[j])
        period = 2.0 * math.pi / math.sqrt(2.0 * k * ACCELERATION / reduced)
        shortest = min(shortest, period * FS_PER_PS)
    return min(largest_fs, shortest / 20.0)


def check_prior(
    prior: Prior,
    mapping: Mapping,
    positions: Array,
    temperature_kelvin: float,
    n_steps: int = 3000,
    friction_per_ps: float = 5.0,
    seed: int = 0,
) -> PriorCheck:
    """Run BAOAB Langevin dynamics on the prior alone and watch its bonds.

    A bond of n samples reaches 5 sigma by chance once n is in the millions, so the
    limit grows with n as the largest of n normal deviates does (1e-4 false alarms).

    Parameters
    ----------
    positions : (n_replicas, n_beads, 3), Angstrom, where to start

    Raises
    ------
    NumericalError
        If positions stop being finite or a bond leaves its range.
    """
    step_fs = choose_timestep(prior, mapping)
    dynamics = _Baoab(prior, mapping, temperature_kelvin, friction_per_ps, step_fs)
    generator = torch.Generator().manual_seed(derive_seed(seed, "prior gate"))
    r = torch.as_tensor(positions, dtype=torch.float64)
    v = dynamics.draw_velocities(r, generator)
    _, f = prior.energy_and_forces(r)
    bonds = prior.bonds
    n_checks = max(1, n_steps // _STEPS_PER_CHECK)
    limit = _allowed_deviation(n_checks * len(r) * max(1, len(mapping.bonds)))
    worst = 0.0
    for step in range(1, n_steps + 1):
        r, v, f = dynamics.step(r, v, f, generator)
        if step % _STEPS_PER_CHECK:
            continue
        if not torch.isfinite(r).all():
            raise NumericalError(
                f"Prior-only dynamics gave NaN after {step} steps of {step_fs:.2f} fs. "
                "A dihedral of nearly straight beads or a too stiff bond does this: "
                "check prior.yaml, or add the angles term."
            )
        if bonds is None or step < n_steps // 10:
            continue
        sigma = (thermal_energy(temperature_kelvin) / (2.0 * bonds.k)).sqrt()
        deviation = ((bonds.difference @ r).norm(dim=-1) - bonds.r0).abs() / sigma
        worst = max(worst, float(deviation.max()))
        if worst > limit:
            i, j = mapping.bonds[int(deviation.max(dim=0).values.argmax())]
            raise NumericalError(
                f"Bond {mapping.types[i]}{i} - {mapping.types[j]}{j} left its range in "
                f"prior-only dynamics after {step} steps: {worst:.1f} standard "
                f"deviations, allowed {limit:.1f}. The terms of the prior pull "
                "against each other there; check its angles, dihedrals and repulsion."
            )
    _log.info(
        "prior gate: %d steps, %d replicas, largest bond deviation %.1f sigma",
        n_steps, len(r), worst,
    )  # fmt: skip
    return PriorCheck(worst, limit, step_fs)


def _allowed_deviation(n_samples: int) -> float:
    """Return the z that the largest of n normal deviates exceeds once in 1e4."""
    tail = torch.tensor(_FALSE_ALARM / n_samples, dtype=torch.float64)
    z = float(-torch.special.ndtri(0.5 * tail))
    return max(_SIGMAS, z)


class _Baoab:
    """BAOAB splitting of Langevin dynamics (Leimkuhler, Matthews 2013)."""

    def __init__(
        self,
        prior: Prior,
        mapping: Mapping,
        temperature_kelvin: float,
        friction_per_ps: float,
        timestep_fs: float,
    ) -> None:
        masses = torch.tensor(mapping.masses_amu, dtype=torch.float64)[:, None]
        dt = timestep_fs / FS_PER_PS
        self._prior = prior
        self._half = 0.5 * dt
        self._kick = self._half * ACCELERATION / masses
        self._decay = math.exp(-friction_per_ps * dt)
        kt = thermal_energy(temperature_kelvin)
        self._thermal = (kt * ACCELERATION / masses).sqrt()
        self._noise = self._thermal * math.sqrt(1.0 - self._decay**2)

    def draw_velocities(
        self, like: torch.Tensor, generator: torch.Generator
    ) -> torch.Tensor:
        """Return Maxwell velocities, Angstrom/ps."""
        return self._thermal * _normal(like, generator)

    def step(
        self,
        r: torch.Tensor,
        v: torch.Tensor,
        f: torch.Tensor,
        generator: torch.Generator,
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Advance positions, velocities and forces by one step."""
        v = v + self._kick * f
        r = r + self._half * v
        v = self._decay * v + self._noise * _normal(r, generator)
        r = r + self._half * v
        _, f = self._prior.energy_and_forces(r)
        return r, v + self._kick * f, f


def _normal(like: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    return torch.randn(like.shape, dtype=like.dtype, generator=generator)
