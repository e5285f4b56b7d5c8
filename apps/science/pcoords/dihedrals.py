"""Torsion angles of chosen atoms or beads, degrees, such as phi and psi."""

from typing import Literal

import numpy as np
from pydantic import Field

from apps.science.arrays import Array
from apps.science.errors import ShapeMismatchError
from apps.science.pcoords._beads import to_beads
from apps.science.pcoords._features import dihedral_angles
from apps.science.pcoords.base import PcoordConfig


class Config(PcoordConfig):
    """Settings of the dihedral coordinate."""

    kind: Literal["dihedrals"] = "dihedrals"
    quadruples: list[tuple[int, int, int, int]] = Field(
        default=[(0, 1, 2, 3), (1, 2, 3, 4)],
        min_length=1,
        description="Four points per angle; the default is phi and psi of the five "
        "backbone beads of a capped residue.",
    )
    mapping: str | None = Field(
        None, description="Path of mapping.json; then the points are beads."
    )


class ProgressCoordinate:
    """Torsions, -180 to 180 degrees (see ``base.ProgressCoordinate``)."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self._indices = np.array(config.quadruples)
        self.n_dim = len(self._indices)

    def compute(self, positions: Array) -> Array:
        """Return (n_frames, n_dim), degrees."""
        points = to_beads(positions, self.config.mapping)
        if self._indices.max() >= points.shape[1]:
            raise ShapeMismatchError(
                f"A dihedral names point {self._indices.max()} but frames hold "
                f"{points.shape[1]} (counted from 0). Give the mapping, or mend "
                "quadruples."
            )
        return np.degrees(dihedral_angles(np.asarray(points, float), self._indices))
