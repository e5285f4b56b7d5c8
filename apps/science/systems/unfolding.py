"""Starts between the fold and the unfolded chain: frames of a short, hot run.

Force matching learns nothing about shapes that no frame has. Sampling that begins at
the fold and at an extended chain leaves a gap between the two, which a coarse-grained
model crosses within picoseconds.
"""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from apps.science.arrays import Array
from apps.science.errors import NumericalError
from apps.science.systems.config import SystemConfig
from apps.science.systems.engine import make_context, make_integrator
from apps.science.units import ANGSTROM_PER_NM, FS_PER_PS

_NAME: Final = "unfolding"
_TIMESTEP_FS: Final = 2.0
"""Hot bonds are fast."""


def name_starts(n_starts: int) -> list[str]:
    """Return the names of so many starts of a hot run."""
    return [f"{_NAME}_{k}" for k in range(1, n_starts + 1)]


def list_built(names: Sequence[str]) -> list[str]:
    """Return the names of the starts that are no frames of a hot run."""
    return [name for name in names if not name.startswith(f"{_NAME}_")]


def spell_starts(names: Sequence[str]) -> str:
    """Return the names in words; those of a hot run by their number."""
    built = list_built(names)
    n_hot = len(names) - len(built)
    return ", ".join([*built, *([f"{n_hot} of a hot, unfolding run"] if n_hot else [])])


def unfold(
    system: Any, positions: Array, config: SystemConfig, n_starts: int, number: int,
    platform: str,
) -> Array:  # fmt: skip
    """Return frames of a hot run, evenly through it, (n_starts, n_particles, 3), Å.

    Parameters
    ----------
    system : an OpenMM System, which is not changed
    positions : (n_particles, 3), Angstrom, near a minimum
    number : seeds the noise, from 1 to 2^31 - 1

    Raises
    ------
    NumericalError
        If the run went away.
    """
    import openmm
    from openmm import unit

    timestep_fs = min(_TIMESTEP_FS, config.timestep_fs)
    n_steps = max(1, round(config.unfolding_ps / n_starts * FS_PER_PS / timestep_fs))
    integrator = make_integrator(
        config.unfolding_kelvin, config.friction_per_ps, timestep_fs, number
    )
    context = make_context(system, integrator, platform, "mixed")
    integrator = context.getIntegrator()
    context.setPositions(positions / ANGSTROM_PER_NM)
    context.setVelocitiesToTemperature(config.unfolding_kelvin, number)
    frames = []
    try:
        for _ in range(n_starts):
            integrator.step(n_steps)
            found = context.getState(positions=True).getPositions(asNumpy=True)
            frames.append(found.value_in_unit(unit.angstrom))
    except openmm.OpenMMException as error:
        raise NumericalError(
            f"The hot run from the native structure ran away: {error}. Lower "
            "system.unfolding_kelvin, or set system.unfolding_starts: 0."
        ) from None
    return np.array(frames)
