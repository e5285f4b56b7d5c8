"""How atomistic forces become bead forces, and when such a map is consistent.

A linear map F_b = sum_a d_ba F_a gives the mean force of the bead coordinates
r_b = sum_a xi_ba R_a only if D Xi^T = I and if atoms joined by a rigid constraint
share one coefficient (Noid 2008; Kraemer 2023).
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np

from apps.science.arrays import Array
from apps.science.errors import ConfigError

_log = logging.getLogger(__name__)

ForceMapKind = Literal["constraint_sum", "sum", "slice", "mass_average"]

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
    """

    diagonal: Array
    deviation: float
    n_split_constraints: int

    @property
    def is_consistent(self) -> bool:
        """Say whether both conditions hold."""
        return self.deviation < TOLERANCE and self.n_split_constraints == 0


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


_BUILDERS: Final[dict[ForceMapKind, Callable[[Array, Groups], Array]]] = {
    "constraint_sum": _constraint_sum,
    "sum": _sum,
    "slice": _slice,
    "mass_average": _mass_average,
}


def build_force_map(kind: ForceMapKind, coordinate_map: Array, groups: Groups) -> Array:
    """Return the force map D, (n_beads, n_atoms); warn where it is inconsistent.

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
        If the kind does not exist.
    """
    if kind not in _BUILDERS:
        raise ConfigError(
            f"Unknown force map {kind!r}: the kinds that exist are "
            f"{', '.join(_BUILDERS)}. Choose one of them."
        )
    force_map = _BUILDERS[kind](coordinate_map, groups)
    check = check_force_map(force_map, coordinate_map, groups)
    if not check.is_consistent:
        _log.warning(
            "force map %s is not consistent: diagonal of D Xi^T %s, largest deviation "
            "from identity %.3g, %d constraint groups with unequal coefficients; "
            "bead forces are biased, use constraint_sum",
            kind,
            np.array2string(check.diagonal, precision=3, max_line_width=10**6),
            check.deviation,
            check.n_split_constraints,
        )
    return force_map


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
    split = sum(bool(np.ptp(force_map[:, g], axis=1).any()) for g in groups)
    return ForceMapCheck(
        diagonal=np.diag(product).copy(),
        deviation=float(difference.max(initial=0.0)),
        n_split_constraints=split,
    )
