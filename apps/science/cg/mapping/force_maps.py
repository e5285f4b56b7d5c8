"""How atomistic forces become bead forces, and when such a map is consistent.

A linear map F_b = sum_a d_ba F_a gives the mean force of the bead coordinates
r_b = sum_a xi_ba R_a only if D Xi^T = I and if atoms joined by a rigid constraint
share one coefficient (Noid 2008; Kraemer 2023). Among the maps that meet both
conditions, ``optimal`` has the least noise.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from apps.science.arrays import Array
from apps.science.cg.mapping.config import ForceMapKind
from apps.science.errors import ConfigError, DataError, ShapeMismatchError

_log = logging.getLogger(__name__)

TOLERANCE: Final = 1e-6

Groups = list[list[int]]


@dataclass(frozen=True)
class ForceMapCheck:
    """What makes a force map consistent, measured.

    Attributes
    ----------
    diagonal : (n_beads,), the diagonal of D Xi^T; ones in a consistent map
    deviation : the largest absolute row sum of D Xi^T - I
    n_split_constraints : constraint groups whose atoms differ in coefficient
    largest_split : the largest difference of coefficients within a group
    """

    diagonal: Array
    deviation: float
    n_split_constraints: int
    largest_split: float

    @property
    def is_consistent(self) -> bool:
        """Say whether both conditions hold, to 1e-6."""
        return self.deviation < TOLERANCE and self.n_split_constraints == 0

    def describe(self, kind: str) -> str:
        """Say which condition a map breaks and by how much; empty if none."""
        broken = []
        if self.deviation >= TOLERANCE:
            broken.append(f"D Xi^T is off the identity by up to {self.deviation:.3g}")
        if self.n_split_constraints:
            broken.append(
                f"{self.n_split_constraints} constraint groups have unequal "
                f"coefficients (by up to {self.largest_split:.3g})"
            )
        if not broken:
            return ""
        diagonal = np.array2string(self.diagonal, precision=3, max_line_width=10**6)
        return (
            f"force map {kind} is not consistent: {' and '.join(broken)}; diagonal of "
            f"D Xi^T: {diagonal}"
        )


def group_constraints(n_atoms: int, constraints: Sequence[Sequence[int]]) -> Groups:
    """Return the atoms held rigid together, one sorted list per group of two or more.

    Parameters
    ----------
    constraints : (n_constraints, 2) atom indices
    """
    root = list(range(n_atoms))

    def find(i: int) -> int:
        while root[i] != i:
            root[i] = root[root[i]]
            i = root[i]
        return i

    for i, j in constraints:
        root[find(i)] = find(j)
    members: dict[int, list[int]] = {}
    for i in range(n_atoms):
        members.setdefault(find(i), []).append(i)
    return sorted(group for group in members.values() if len(group) > 1)


def _constraint_sum(coordinate_map: Array, groups: Groups) -> Array:
    force_map = (coordinate_map > 0).astype(float)
    for row in force_map:
        for group in groups:
            if row[group].any():
                row[group] = 1.0
    return force_map


def _sum(coordinate_map: Array, groups: Groups) -> Array:
    del groups
    return (coordinate_map > 0).astype(float)


def _slice(coordinate_map: Array, groups: Groups) -> Array:
    del groups
    force_map = np.zeros_like(coordinate_map)
    force_map[np.arange(len(force_map)), coordinate_map.argmax(axis=1)] = 1.0
    return force_map


def _mass_average(coordinate_map: Array, groups: Groups) -> Array:
    del groups
    return coordinate_map.copy()


_BUILDERS: Final[dict[str, Callable[[Array, Groups], Array]]] = {
    "constraint_sum": _constraint_sum,
    "sum": _sum,
    "slice": _slice,
    "mass_average": _mass_average,
}

FIXED_KINDS: Final[tuple[ForceMapKind, ...]] = (
    "constraint_sum", "sum", "slice", "mass_average",
)  # fmt: skip
"""Kinds that need no data."""


def compose_force_map(
    kind: ForceMapKind, coordinate_map: Array, groups: Groups
) -> Array:
    """Return the force map D, (n_beads, n_atoms), consistent or not.

    Parameters
    ----------
    kind : ``constraint_sum`` takes each bead's atoms and all atoms constrained to
        them with coefficient 1; ``sum`` the bead's atoms alone; ``slice`` its
        heaviest atom; ``mass_average`` the mass-weighted mean of the forces
    coordinate_map : (n_beads, n_atoms), rows sum to one
    groups : from ``group_constraints``

    Raises
    ------
    ConfigError
        If the kind does not exist, or needs frames (``optimal``).
    """
    if kind not in _BUILDERS:
        raise ConfigError(
            f"Unknown force map {kind!r}: the kinds that need no frames are "
            f"{', '.join(_BUILDERS)}. Choose one of them; optimal is fitted to the "
            "frames by the prior stage."
        )
    return _BUILDERS[kind](coordinate_map, groups)


def build_force_map(kind: ForceMapKind, coordinate_map: Array, groups: Groups) -> Array:
    """Return a composed map; warn where it is inconsistent, and by how much."""
    force_map = compose_force_map(kind, coordinate_map, groups)
    broken = check_force_map(force_map, coordinate_map, groups).describe(kind)
    if broken:
        _log.warning("%s; bead forces are biased, use constraint_sum", broken)
    return force_map


def optimise_force_map(
    coordinate_map: Array, groups: Groups, covariance: Array, ridge: float = 1e-3
) -> Array:
    """Return the consistent map of least mean squared force, (n_beads, n_atoms).

    Each row d minimises d^T (C + ridge c I) d, c the mean of C's diagonal, under
    d Xi^T = e_b and equal coefficients within each group: a quadratic programme with
    equality constraints, solved by its KKT system (Kraemer 2023).

    Parameters
    ----------
    coordinate_map : (n_beads, n_atoms)
    covariance : C, (n_atoms, n_atoms), weighted mean over frames of F_a . F_b,
        (kcal/mol/Angstrom)^2

    Raises
    ------
    DataError
        If no map can meet both conditions, or the forces are all zero.
    ShapeMismatchError
        If the covariance is of another number of atoms.
    """
    n_beads, n_atoms = coordinate_map.shape
    if covariance.shape != (n_atoms, n_atoms):
        raise ShapeMismatchError(
            f"The covariance covers {len(covariance)} atoms; the map covers {n_atoms}. "
            "Gather it from the frames of this system."
        )
    scale = float(np.trace(covariance)) / n_atoms
    if not scale > 0:
        raise DataError(
            "All forces are zero, so no force map is optimal. Record forces with the "
            "frames, or use force_map: constraint_sum."
        )
    spread = _spread(n_atoms, groups)
    conditions = coordinate_map @ spread
    quadratic = covariance / scale + ridge * np.eye(n_atoms)
    n_free = spread.shape[1]
    kkt = np.zeros((n_free + n_beads, n_free + n_beads))
    kkt[:n_free, :n_free] = 2.0 * spread.T @ quadratic @ spread
    kkt[:n_free, n_free:] = conditions.T
    kkt[n_free:, :n_free] = conditions
    right = np.zeros((n_free + n_beads, n_beads))
    right[n_free:] = np.eye(n_beads)
    solution = np.linalg.lstsq(kkt, right, rcond=None)[0]
    force_map: Array = (spread @ solution[:n_free]).T
    check = check_force_map(force_map, coordinate_map, groups)
    if not check.is_consistent:
        raise DataError(
            f"No map of these beads is consistent; the best: "
            f"{check.describe('optimal')}. Two beads share a rigid constraint: choose "
            "beads that do not."
        )
    return force_map


def _spread(n_atoms: int, groups: Groups) -> Array:
    """Return (n_atoms, n_free) of zeros and ones: one free coefficient per group."""
    column = np.arange(n_atoms)
    for group in groups:
        column[group] = min(group)
    _, column = np.unique(column, return_inverse=True)
    return np.eye(int(column.max()) + 1)[column]


def check_force_map(
    force_map: Array, coordinate_map: Array, groups: Groups
) -> ForceMapCheck:
    """Measure both conditions of a consistent force map.

    Parameters
    ----------
    force_map, coordinate_map : (n_beads, n_atoms)
    """
    product = force_map @ coordinate_map.T
    difference = np.abs(product - np.eye(len(product))).sum(axis=1)
    splits = [float(np.ptp(force_map[:, g], axis=1).max()) for g in groups]
    return ForceMapCheck(
        diagonal=np.diag(product).copy(),
        deviation=float(difference.max(initial=0.0)),
        n_split_constraints=sum(split > TOLERANCE for split in splits),
        largest_split=max(splits, default=0.0),
    )


def mean_squared_force(force_map: Array, covariance: Array) -> Array:
    """Return E |F_b|^2 of each bead, (n_beads,), (kcal/mol/Angstrom)^2.

    Of consistent maps, the one with the smaller value has the less noise.
    """
    squared: Array = np.einsum("bi,ij,bj->b", force_map, covariance, force_map)
    return squared
