"""Counts the bead frames of one protein, for a prior to be fitted to."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import numpy as np

from apps.science.arrays import Array
from apps.science.cg.internal_coordinates import (
    measure_angles,
    measure_dihedrals,
    measure_distances,
)
from apps.science.cg.mapping.mapping import Mapping
from apps.science.cg.prior.histograms import TypeHistograms
from apps.science.cg.prior.tables import (
    WILDCARD,
    PriorTables,
    Term,
    Types,
    list_pairs,
    list_types,
)

_SHARED: Final[Types] = (WILDCARD,) * 4


@dataclass(frozen=True)
class FitSettings:
    """What a fit needs besides the frames."""

    temperature_kelvin: float
    n_shrink: float
    shared_dihedral: bool
    dihedral_scale: float


class PriorCounts:
    """Counts frames batch by batch.

    Parameters
    ----------
    tables : whose terms and exclusions say what is counted

    Attributes
    ----------
    mass : summed weight
    n_frames, n_weighted : frames, and those of them with a weight above zero
    """

    def __init__(self, mapping: Mapping, tables: PriorTables, settings: FitSettings):
        self.mapping, self.tables, self.settings = mapping, tables, settings
        self.mass = 0.0
        self.n_weighted = 0
        self.n_frames = 0
        terms = tables.terms
        self._pairs = list_pairs(mapping, tables.exclusions)
        dihedral_types = _types(mapping, mapping.dihedrals, "dihedrals" in terms)
        if settings.shared_dihedral:
            dihedral_types = [_SHARED] * len(dihedral_types)
        # A pair counts for the types of both its beads: two columns each.
        pair_types = _types(mapping, self._pairs, "repulsion" in terms)
        ends = [(t[0],) for t in pair_types] + [(t[1],) for t in pair_types]
        self._counted: dict[Term, TypeHistograms] = {
            "bonds": TypeHistograms.empty(
                _types(mapping, mapping.bonds, "bonds" in terms), 0.0, 12.0, 24000
            ),
            "angles": TypeHistograms.empty(
                _types(mapping, mapping.angles, "angles" in terms), 0.0, np.pi, 6000
            ),
            "dihedrals": TypeHistograms.empty(dihedral_types, -np.pi, np.pi, 72),
            "repulsion": TypeHistograms.empty(ends, 0.0, 80.0, 8000),
        }

    def add(self, positions: Array, weights: Array) -> None:
        """Count bead frames (n_frames, n_beads, 3), Angstrom, with their weights."""
        self.mass += float(weights.sum())
        self.n_weighted += int((weights > 0).sum())
        self.n_frames += len(weights)
        m = self.mapping
        for term, seen in self.histograms.items():
            match term:
                case "bonds":
                    values = measure_distances(positions, m.bonds)
                case "angles":
                    values = measure_angles(positions, m.angles)
                case "dihedrals":
                    values = measure_dihedrals(positions, m.dihedrals)
                case "repulsion":
                    distance = measure_distances(positions, self._pairs)
                    values = np.concatenate([distance, distance], axis=1)
            seen.add(values, weights)

    @property
    def histograms(self) -> dict[Term, TypeHistograms]:
        """What was counted, by term; terms without members are left out."""
        return {term: h for term, h in self._counted.items() if h.types}


def _types(
    mapping: Mapping, members: Iterable[tuple[int, ...]], wanted: bool
) -> list[Types]:
    return [list_types(mapping, m) for m in members] if wanted else []
