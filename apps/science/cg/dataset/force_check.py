"""Compare forces with what the structure itself demands: stretched bonds pull back.

In equilibrium at temperature T the force along a bond of length r obeys, whatever the
potential and however noisy the force (integration by parts of the Boltzmann factor),

    <(r - <r>) u.F_j> = -kT <1 + 2 (r - <r>) / r>,

u the unit vector from bead i to j. The ratio of the left to the right side is one. It
is -1 for forces of the wrong sign, a unit's factor for forces of another unit, and
about zero for forces of other frames or in another order of the atoms. Bonds are in
equilibrium within a picosecond, so this holds for sets that are not.
"""

import logging
from dataclasses import dataclass
from typing import Final

import numpy as np

from apps.science.arrays import Array
from apps.science.cg.mapping.mapping import Mapping
from apps.science.errors import DataError
from apps.science.units import thermal_energy

log = logging.getLogger(__name__)

LEAST_SPREAD_ANGSTROM: Final = 0.012
"""Bonds that vary less are constrained, or rounded as an XTC file does."""
_N_BLOCKS: Final = 40
_LOW: Final = 0.4
_HIGH: Final = 2.5
"""Between these a set is taken: other temperatures and constraints lie within 1.5."""
_STRAY: Final = 0.25
"""Below this a bead has the forces of another; half a unit is seen in short sets."""
_SIGMAS: Final = 5.0
_USUAL: Final = (0.7, 1.4)
"""Beyond these a warning is given."""
_UNITS: Final = {
    41.84: "They are in kJ/mol/nm: set force_unit: kJ/mol/nm",
    4.184: "They are in kJ/mol/Angstrom: divide them by 4.184",
    10.0: "They are in kcal/mol/nm: divide them by 10",
    1 / 41.84: "They are in kcal/mol/Angstrom where force_unit is kJ/mol/nm, or were "
    "divided by 41.84 once too often",
    1 / 4.184: "They were divided by 4.184 once too often",
    1 / 23.06: "They are in eV/Angstrom: multiply them by 23.06",
    1 / 1185.8: "They are in Hartree/Bohr: multiply them by 1185.8",
}
_WHOLE_FORCE: Final = 15.0
"""kcal/mol/Angstrom; forces of a smaller unit are weaker. Those on atoms are of 25 (all
bonds constrained) to 50, root mean square, at 300 K."""
_LEFT_BY_CONSTRAINTS: Final = 0.06
_NAMED_WITHIN: Final = 1.3
_N_NAMED: Final = 4
_SHIFTS: Final = (1, -1, 2, -2)


@dataclass(frozen=True)
class BondResponse:
    """How the forces of a set answer to the stretch of its bonds.

    Attributes
    ----------
    ratio : one for forces that belong to the positions, in kcal/mol/Angstrom
    error : its standard error
    """

    ratio: float
    error: float

    @property
    def strength(self) -> float:
        """How far the ratio is from zero, in standard errors."""
        return self.ratio / self.error if self.error > 0 else 0.0


def measure_response(
    positions: Array, forces: Array, bonds: Array, kelvin: float,
    weight: Array | None = None, bead: int | None = None,
) -> BondResponse | None:  # fmt: skip
    """Return how forces answer to bonds; None where no bond is free to stretch.

    Parameters
    ----------
    positions, forces : (n_frames, n_beads, 3), Angstrom, kcal/mol/Angstrom
    bonds : (n_bonds, 2)
    weight : (n_frames,)
    bead : look at the force on this bead alone; None: on all
    """
    ends = bonds if bead is None else bonds[(bonds == bead).any(axis=1)]
    if len(ends) == 0 or len(positions) < 2 * _N_BLOCKS:
        return None
    share = np.ones(len(positions)) if weight is None else np.asarray(weight, float)
    share = share / share.sum()
    first, second = np.asarray(ends).T
    vector = (positions[:, second] - positions[:, first]).astype(float)
    length = np.linalg.norm(vector, axis=-1)
    stretch = length - share @ length
    free = np.sqrt(share @ stretch**2) > LEAST_SPREAD_ANGSTROM
    if not free.any() or not (length > 0).all():
        return None
    pull = np.zeros(vector.shape)
    for end, sign in ((second, 1.0), (first, -1.0)):
        chosen = np.ones(len(end)) if bead is None else (end == bead).astype(float)
        pull += sign * chosen[:, None] * forces[:, end]
    along = np.einsum("fbx,fbx->fb", pull, vector) / length
    found = (stretch * along)[:, free].sum(axis=1)
    n_ends = 2 if bead is None else 1
    expected = -n_ends * thermal_energy(kelvin) * (1 + 2 * stretch / length)
    expected = expected[:, free].sum(axis=1)
    ratio = float(share @ found / (share @ expected))
    rest = share * (found - ratio * expected)
    blocks = np.array([part.sum() for part in np.array_split(rest, _N_BLOCKS)])
    error = float(np.sqrt((blocks**2).sum()) / abs(share @ expected))
    return BondResponse(ratio, error)


def check_response(
    positions: Array, forces: Array, mapping: Mapping, kelvin: float,
    weight: Array | None = None, constrained: bool | None = None,
) -> BondResponse | None:  # fmt: skip
    """Refuse forces that do not belong to the positions; return how they answer.

    Says nothing of sets that are too small to tell.

    Parameters
    ----------
    positions, forces : (n_frames, n_beads, 3), Angstrom, kcal/mol/Angstrom
    weight : (n_frames,)
    constrained : whether bonds between heavy atoms are; None: not known. What
        constraints pull is missing in the forces, and a tenth of the ratio is left

    Raises
    ------
    DataError
        If they are negated, of another unit, or of other frames or another order of
        the atoms; which of these is said.
    """
    bonds = np.array(mapping.bonds, dtype=int).reshape(-1, 2)
    given = (positions, forces, bonds, kelvin, weight)
    found = measure_response(*given)
    if found is None or found.error > 0.2 * max(1.0, abs(found.ratio)):
        return found
    each = {k: measure_response(*given, bead=k) for k in np.unique(bonds).tolist()}
    alike = _are_alike(found, each)
    if found.ratio < _LOW and _may_be_constrained(found, alike, forces, constrained):
        log.warning(
            "the forces pull stretched bonds back %.2f times as strongly as %g K "
            "demands: bonds between heavy atoms seem to be constrained, and what "
            "constraints pull is missing in the forces on beads", found.ratio, kelvin,
        )  # fmt: skip
        return found
    if _is_beyond(found, _LOW, _HIGH):
        raise DataError(
            "The forces do not belong to the positions: where bonds are stretched, "
            f"they pull back {found.ratio:.3g} +- {found.error:.2g} times as strongly "
            f"as {kelvin:g} K demands; expected 1. "
            + (_say_factor(found) if alike else _say_order(*given))
        )
    strays = [k for k, one in each.items() if one and _is_beyond(one, _STRAY, np.inf)]
    if strays:
        named = ", ".join(mapping.describe_bead(k) for k in strays[:_N_NAMED])
        raise DataError(
            f"The forces on {len(strays)} of {len(each)} beads do not belong to their "
            f"positions: they do not pull back where bonds are stretched ({named}). "
            "Their atoms are in another order than the positions: give both in the "
            "order of the topology."
        )
    if _is_beyond(found, *_USUAL):
        log.warning(
            "the forces pull stretched bonds back %.2f times as strongly as %g K "
            "demands: check the unit of the forces and temperature_kelvin",
            found.ratio,
            kelvin,
        )
    return found


def _may_be_constrained(
    found: BondResponse, alike: bool, forces: Array, constrained: bool | None
) -> bool:
    """Say whether a small ratio may come of constraints."""
    if constrained is not None:
        return constrained and not _is_beyond(found, 0.0, np.inf)
    strength = float(np.sqrt(np.square(forces).sum(axis=-1).mean()))
    if strength < _WHOLE_FORCE:
        return False
    return (alike and found.ratio > 0) or (
        # too few frames to tell what constraints leave from nothing
        found.ratio + 2 * found.error > _LEFT_BY_CONSTRAINTS
        and found.ratio < 0.2
        and not _is_beyond(found, 0.0, np.inf)
    )


def _is_beyond(found: BondResponse, low: float, high: float) -> bool:
    margin = _SIGMAS * found.error
    return found.ratio - margin > high or found.ratio + margin < low


def _are_alike(found: BondResponse, each: dict[int, BondResponse | None]) -> bool:
    """Say whether one factor explains every bead."""
    if abs(found.ratio) < _SIGMAS * found.error:
        return False
    low, high = sorted((0.5 * found.ratio, 2 * found.ratio))
    return not any(one and _is_beyond(one, low, high) for one in each.values())


def _say_factor(found: BondResponse) -> str:
    size = abs(found.ratio)
    near = min(_UNITS, key=lambda factor: abs(np.log(size / factor)))
    known = abs(np.log(size / near)) < np.log(_NAMED_WITHIN)
    if found.ratio < 0:
        also = f", and by {1 / size:.3g}" if _is_beyond(
            BondResponse(size, found.error), _LOW, _HIGH
        ) else ""  # fmt: skip
        return (
            "They point the wrong way, as gradients of the energy do: multiply them by "
            f"-1{also}."
        )
    if known:
        return f"{_UNITS[near]}."
    return f"They are of another unit: divide them by about {found.ratio:.3g}."


def _say_order(
    positions: Array, forces: Array, bonds: Array, kelvin: float, weight: Array | None
) -> str:
    tried = {
        f"Those of a frame stand {abs(k)} row{'s' if abs(k) > 1 else ''} "
        f"{'later' if k < 0 else 'earlier'}": np.roll(forces, k, axis=0)
        for k in _SHIFTS
    } | {
        "Their frames run backwards": forces[::-1],
        "Their atoms run backwards": forces[:, ::-1],
    }
    for said, other in tried.items():
        found = measure_response(positions, other, bonds, kelvin, weight)
        if found is not None and abs(found.ratio - 1) < 0.5 and found.strength > 10:
            return f"{said}: bring the two files into one order."
    return (
        "They are in another order of the frames or of the atoms than the positions, "
        "or of another simulation: give the forces of the same frames and atoms."
    )
