"""Prior-only dynamics as a gate: a prior that breaks here never reaches training."""

import logging
import math
import time
from dataclasses import dataclass, field

import numpy as np

from apps.science.arrays import Array, IntArray
from apps.science.cg.internal_coordinates import measure_distances
from apps.science.cg.mapping.mapping import Mapping
from apps.science.cg.prior.dynamics import PriorDynamics
from apps.science.cg.prior.terms import Prior
from apps.science.errors import NumericalError
from apps.science.seeds import derive_seed, openmm_seed
from apps.science.units import ACCELERATION, FS_PER_PS, thermal_energy

_log = logging.getLogger(__name__)

_STEPS_PER_CHECK = 10
_N_KEPT = 2000
_SIGMAS = 5.0
_FALSE_ALARM = 1e-4
_STRAINED_SHARE = 1e-3
_FEWEST_STRAINED = 3


@dataclass(frozen=True)
class PriorCheck:
    """What the gate saw.

    Attributes
    ----------
    largest_deviation, limit : of a bond from its length, in standard deviations
    strained_share : of the samples of the worst bond, how many were past the limit
    seconds : wall time
    frames : (n_kept, n_beads, 3), Angstrom, of all replicas after the first tenth
    """

    largest_deviation: float
    limit: float
    strained_share: float
    timestep_fs: float
    seconds: float = field(compare=False)
    frames: Array = field(compare=False, repr=False)


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
    n_steps: int = 100_000,
    friction_per_ps: float = 5.0,
    timestep_fs: float | None = None,
    seed: int = 0,
) -> PriorCheck:
    """Run Langevin dynamics on the prior alone and watch its bonds.

    A bond of n samples reaches 5 sigma by chance once n is in the millions, so the
    limit grows with n as the largest of n normal deviates does (1e-4 false alarms).
    A bond may pass it in one sample of a thousand: where three beads line up, the
    force of a dihedral has no bound, and even the published C-alpha prior then kicks
    a bond (to 11 sigma in villin) that settles within a picosecond. Such kicks are
    told; a bond that stays out is refused. The first tenth of the steps does not
    count, as it may still come from the frames it began at.

    Parameters
    ----------
    positions : (n_replicas, n_beads, 3), Angstrom, where to start
    timestep_fs : None for a twentieth of the stiffest bond's period, at most 4

    Raises
    ------
    NumericalError
        If positions stop being finite or a bond leaves its range and stays out.
    """
    began = time.perf_counter()
    step_fs = choose_timestep(prior, mapping) if timestep_fs is None else timestep_fs
    dynamics = PriorDynamics(
        prior, mapping, positions, temperature_kelvin, friction_per_ps, step_fs,
        openmm_seed(derive_seed(seed, "prior gate")),
    )  # fmt: skip
    n_checks = -(-n_steps // _STEPS_PER_CHECK)
    limit = _allowed_deviation(n_checks * len(positions) * max(1, len(mapping.bonds)))
    keep_every = max(1, n_checks * len(positions) // _N_KEPT)
    n_counted = (n_checks - n_checks // 10) * len(positions)
    allowed = max(_FEWEST_STRAINED, int(_STRAINED_SHARE * n_counted))
    worst, kept = 0.0, []
    strained = np.zeros(len(mapping.bonds), dtype=int)
    for check, frame in enumerate(dynamics.run(n_steps, _STEPS_PER_CHECK)):
        if check < n_checks // 10:
            continue
        if check % keep_every == 0:
            kept.append(frame)
        deviation = _measure_deviation(prior, mapping, frame, temperature_kelvin)
        worst = max(worst, float(deviation.max(initial=0.0)))
        if worst > limit and prior.bonds is not None:
            strained += (deviation > limit).sum(axis=0)
            if strained.max() > allowed:
                _refuse(mapping, strained, worst, limit, (check + 1) * _STEPS_PER_CHECK)
    seconds = time.perf_counter() - began
    _log.info(
        "prior gate: %d steps of %.2f fs, %d replicas, largest bond deviation %.1f "
        "sigma of %.1f allowed, %.1f s",
        n_steps, step_fs, len(positions), worst, limit, seconds,
    )  # fmt: skip
    if strained.any():
        _log.warning(
            "prior gate: bonds were kicked past %.1f sigma %d times, to %.1f, and "
            "settled; dihedrals do so where beads line up, an angles term prevents it",
            limit, int(strained.sum()), worst,
        )  # fmt: skip
    share = float(strained.max(initial=0)) / n_counted
    return PriorCheck(worst, limit, share, step_fs, seconds, np.concatenate(kept))


def _measure_deviation(
    prior: Prior, mapping: Mapping, frame: Array, temperature_kelvin: float
) -> Array:
    """Return how far bonds are off, (n_replicas, n_bonds), standard deviations."""
    bonds = prior.bonds
    if bonds is None:
        return np.zeros((len(frame), 0))
    sigma = np.sqrt(thermal_energy(temperature_kelvin) / (2.0 * bonds.k.numpy()))
    away = measure_distances(frame, mapping.bonds) - bonds.r0.numpy()
    deviation: Array = np.abs(away) / sigma
    return deviation


def _refuse(
    mapping: Mapping, strained: IntArray, worst: float, limit: float, n_steps: int
) -> None:
    i, j = mapping.bonds[int(strained.argmax())]
    raise NumericalError(
        f"Bond {mapping.types[i]}{i} - {mapping.types[j]}{j} left its range in "
        f"prior-only dynamics and stayed out, within {n_steps} steps: up to "
        f"{worst:.3g} standard deviations, allowed {limit:.1f}. The terms of the prior "
        "pull against each other there: check its angles, dihedrals and repulsion, or "
        "prior.exclusions."
    )


def _allowed_deviation(n_samples: int) -> float:
    """Return the z that the largest of n normal deviates exceeds once in 1e4."""
    from statistics import NormalDist

    z = -NormalDist().inv_cdf(0.5 * _FALSE_ALARM / n_samples)
    return max(_SIGMAS, z)
