"""The parameters of a prior by bead type, and which term of a chain takes which.

TorchMD's conventions: bond k (x - x0)^2 and angle k (theta - theta0)^2 without a
half, dihedral sum_n k_n (1 + cos(n phi - gamma_n)), repulsion 4 eps (sigma / r)^6
with Lorentz-Berthelot mixing. Angles are radians here; the YAML file has degrees.
"""

import itertools
from dataclasses import dataclass, field
from typing import Final, Literal, TypeVar

from apps.science.cg.mapping.mapping import Mapping
from apps.science.errors import DataError

Term = Literal["bonds", "angles", "dihedrals", "repulsion"]
Exclusion = Literal["bonds", "angles", "1-4"]
Types = tuple[str, ...]
Fourier = tuple[tuple[float, float, int], ...]
"""(k_n, kcal/mol; gamma_n, rad; n) of each cosine."""

WILDCARD: Final = "X"

Parameters = TypeVar("Parameters")


@dataclass(frozen=True)
class PriorTables:
    """Parameters by bead type, kcal/mol, Angstrom, rad.

    Attributes
    ----------
    terms : which terms act
    exclusions : which bead pairs the repulsion leaves out; the fit, the delta forces
        and the dynamics all use this one list
    bonds, angles : (k, equilibrium value) by types along the chain
    dihedrals : Fourier terms by types; ``X`` matches any type
    repulsion : (sigma, epsilon) by type
    masses : amu by type
    temperature_kelvin : temperature of the fit; None if not known
    """

    terms: tuple[Term, ...]
    exclusions: tuple[Exclusion, ...]
    bonds: dict[Types, tuple[float, float]] = field(default_factory=dict)
    angles: dict[Types, tuple[float, float]] = field(default_factory=dict)
    dihedrals: dict[Types, Fourier] = field(default_factory=dict)
    repulsion: dict[Types, tuple[float, float]] = field(default_factory=dict)
    masses: dict[str, float] = field(default_factory=dict)
    temperature_kelvin: float | None = None


def _with_wildcards(types: Types) -> list[Types]:
    choices = sorted(itertools.product([False, True], repeat=len(types)), key=sum)
    return [
        tuple(WILDCARD if hide else t for t, hide in zip(types, choice, strict=True))
        for choice in choices
    ]


def look_up(table: dict[Types, Parameters], types: Types, term: str) -> Parameters:
    """Return the entry for ``types``, read forwards, backwards, then with wildcards.

    Raises
    ------
    DataError
        If no entry matches.
    """
    variants = _with_wildcards(types) + _with_wildcards(types[::-1])
    for variant in sorted(variants, key=lambda v: v.count(WILDCARD)):
        if variant in table:
            return table[variant]
    raise DataError(
        f"The prior has no {term} parameters for {' - '.join(types)}. "
        "Fit the prior to this molecule, or add the entry to its YAML file."
    )


def list_types(mapping: Mapping, beads: tuple[int, ...]) -> Types:
    """Return the bead types of a bond, angle or dihedral, in chain order."""
    return tuple(mapping.types[i] for i in beads)


def list_pairs(
    mapping: Mapping, exclusions: tuple[Exclusion, ...]
) -> list[tuple[int, int]]:
    """Return the bead pairs i < j that are not excluded."""
    left_out: set[tuple[int, int]] = set()
    if "bonds" in exclusions:
        left_out.update((i, j) for i, j in mapping.bonds)
    if "angles" in exclusions:
        left_out.update((a[0], a[2]) for a in mapping.angles)
    if "1-4" in exclusions:
        left_out.update((d[0], d[3]) for d in mapping.dihedrals)
    pairs = itertools.combinations(range(mapping.n_beads), 2)
    return [pair for pair in pairs if pair not in left_out]
