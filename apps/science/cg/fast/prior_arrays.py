"""A prior as plain arrays, for compiled kernels."""

from typing import Any, NamedTuple

import numpy as np
from torch import Tensor

from apps.science.arrays import Array, IntArray
from apps.science.cg.prior.terms import (
    AngleTerm,
    BondTerm,
    DihedralTerm,
    Prior,
    PriorTerm,
    RepulsionTerm,
)


class PriorArrays(NamedTuple):
    """Terms of one molecule; a term that is absent has no rows.

    Attributes
    ----------
    bonds (n, 2), angles (n, 3), dihedrals (n, 4), pairs (n, 2) : beads, int32
    bond_k, bond_r0 : k (r - r0)^2
    angle_k, angle_theta0 : k (theta - theta0)^2
    cosine, sine : (n_dihedrals, n_terms), k cos(gamma) and k sin(gamma)
    periodicity : (n_dihedrals, n_terms), int32
    constant : (n_dihedrals,), sum of k
    strength : (n_pairs,), B of B / r^6
    """

    bonds: IntArray
    bond_k: Array
    bond_r0: Array
    angles: IntArray
    angle_k: Array
    angle_theta0: Array
    dihedrals: IntArray
    cosine: Array
    sine: Array
    periodicity: IntArray
    constant: Array
    pairs: IntArray
    strength: Array


def can_list(prior: Prior) -> bool:
    """Return whether every term of a prior has a compiled form."""
    return all(isinstance(term, PriorTerm) for term in prior.terms.values())


def list_prior(prior: Prior) -> PriorArrays:
    """Return the arrays of a prior."""
    found: dict[str, Any] = {
        "bonds": _no_beads(2), "bond_k": np.zeros(0), "bond_r0": np.zeros(0),
        "angles": _no_beads(3), "angle_k": np.zeros(0), "angle_theta0": np.zeros(0),
        "dihedrals": _no_beads(4), "constant": np.zeros(0), "cosine": np.zeros((0, 1)),
        "sine": np.zeros((0, 1)), "periodicity": np.zeros((0, 1), np.int32),
        "pairs": _no_beads(2), "strength": np.zeros(0),
    }  # fmt: skip
    for term in prior.terms.values():
        found |= _list_term(term)
    return PriorArrays(**{name: np.ascontiguousarray(a) for name, a in found.items()})


def _list_term(
    term: BondTerm | AngleTerm | DihedralTerm | RepulsionTerm,
) -> dict[str, Any]:
    match term:
        case BondTerm():
            beads = np.stack([_start(term.difference), _end(term.difference)], axis=1)
            return {"bonds": beads, "bond_k": _f(term.k), "bond_r0": _f(term.r0)}
        case AngleTerm():
            ends = [_end(term.arm_one), _start(term.arm_one), _end(term.arm_two)]
            return {
                "angles": np.stack(ends, axis=1),
                "angle_k": _f(term.k),
                "angle_theta0": _f(term.theta0),
            }
        case DihedralTerm():
            steps = (term.step_one, term.step_two, term.step_three)
            return {
                "dihedrals": np.stack(
                    [_start(term.step_one), *(_end(step) for step in steps)], axis=1
                ),
                "cosine": _f(term.k * term.phase.cos()),
                "sine": _f(term.k * term.phase.sin()),
                "periodicity": _f(term.periodicity).astype(np.int32),
                "constant": _f(term.k).sum(axis=1),
            }
        case RepulsionTerm():
            strength = np.triu(_f(term.strength), 1)
            pairs = np.argwhere(strength > 0).astype(np.int32)
            return {"pairs": pairs, "strength": strength[strength > 0]}


def _no_beads(n: int) -> IntArray:
    return np.zeros((0, n), np.int32)


def _f(values: Tensor) -> Array:
    found: Array = values.double().cpu().numpy()
    return found


def _start(step: Tensor) -> IntArray:
    return np.asarray(step.argmin(dim=1).cpu(), dtype=np.int32)


def _end(step: Tensor) -> IntArray:
    return np.asarray(step.argmax(dim=1).cpu(), dtype=np.int32)
