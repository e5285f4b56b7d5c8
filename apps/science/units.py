"""Constants and the only unit conversions of the project.

Inside weft: Angstrom, kcal/mol, kcal/mol/Angstrom, ps, amu, K.
"""

from typing import Final

KB_KCAL_PER_MOL_K: Final = 0.00198720425864083
"""Boltzmann constant, kcal/mol/K (CODATA 2018 R over the thermochemical calorie)."""

ANGSTROM_PER_NM: Final = 10.0
KCAL_PER_KJ: Final = 1.0 / 4.184
FORCE_OPENMM_TO_KCAL: Final = 1.0 / 41.84
"""kJ/mol/nm to kcal/mol/Angstrom."""

ACCELERATION: Final = 418.4
"""kcal/mol/Angstrom/amu expressed in Angstrom/ps^2."""

FS_PER_PS: Final = 1000.0


def thermal_energy(temperature_kelvin: float) -> float:
    """Return kT in kcal/mol."""
    return KB_KCAL_PER_MOL_K * temperature_kelvin


def thermal_speed(temperature_kelvin: float, mass_amu: float) -> float:
    """Return the standard deviation of one velocity component, Angstrom/ps."""
    return float((thermal_energy(temperature_kelvin) / mass_amu * ACCELERATION) ** 0.5)


def count_whole(length: float, unit: float) -> int | None:
    """Return how many ``unit`` make ``length``; None if none or no whole number."""
    count = round(length / unit)
    whole = count >= 1 and abs(count * unit - length) <= 1e-6 * length
    return count if whole else None


def count_steps(length_fs: float, step_fs: float, what: str, of_what: str) -> int:
    """Return how many whole steps make a length.

    Raises
    ------
    ValueError
        If it is no whole number, or none.
    """
    steps = count_whole(length_fs, step_fs)
    if steps is None:
        raise ValueError(
            f"{what} of {length_fs:g} fs is no whole number of {of_what} of "
            f"{step_fs:g} fs ({length_fs / step_fs:g}). Make it a multiple."
        )
    return steps
