"""Torsion angles of chosen atoms or beads, degrees, such as phi and psi."""

from pathlib import Path
from typing import ClassVar, Final, Literal, Self

import numpy as np
from pydantic import Field, field_validator, model_validator

from apps.science.arrays import Array
from apps.science.errors import DataError, ShapeMismatchError
from apps.science.pcoords._beads import check_points, to_beads
from apps.science.pcoords._features import dihedral_angles
from apps.science.pcoords._torsions import find_torsions, read_torsion
from apps.science.pcoords.base import PcoordConfig, Recorded

Quadruple = tuple[int, int, int, int]

_PHI_AND_PSI: Final = ((0, 1, 2, 3), (1, 2, 3, 4))


class Config(PcoordConfig):
    """Settings of the dihedral coordinate."""

    run_files: ClassVar[frozenset[str]] = frozenset({"topology"})
    kind: Literal["dihedrals"] = "dihedrals"
    torsions: list[str] | None = Field(
        None,
        min_length=1,
        description="Torsions of the atoms by name, in place of quadruples: phi, psi, "
        "omega, chi1 to chi5, with a residue's number where several have it (phi 12).",
    )
    quadruples: list[Quadruple] | None = Field(
        None,
        min_length=1,
        description="Four points per angle; without torsions the default is phi and "
        "psi of the five backbone beads of a capped residue.",
    )
    mapping: str | None = Field(
        None, description="Path of mapping.json; then the points are beads."
    )
    topology: str | None = Field(
        None, description="Path of a PDB file of the recorded atoms, to find torsions."
    )

    @field_validator("torsions")
    @classmethod
    def _torsions_have_names(cls, value: list[str] | None) -> list[str] | None:
        for text in value or []:
            read_torsion(text)
        return value

    @model_validator(mode="after")
    def _points_are_said_once(self) -> Self:
        if self.torsions is None:
            return self
        if self.quadruples is not None or self.mapping is not None:
            raise ValueError(
                "torsions are of the atoms, by name. Leave out quadruples and mapping, "
                "or give quadruples alone."
            )
        if self.topology is None:
            raise ValueError(
                "torsions are found by the names of atoms. Give topology, a PDB file."
            )
        return self

    @property
    def n_coordinates(self) -> int:
        """Angles."""
        return len(self.torsions or self.points)

    @property
    def points(self) -> list[Quadruple]:
        """The points of each angle where no torsion has a name."""
        return self.quadruples or list(_PHI_AND_PSI)

    @property
    def labels(self) -> list[str]:
        """The names of the torsions, or the points of each."""
        names = self.torsions or [
            "-".join(str(k) for k in points) for points in self.points
        ]
        return [f"{name}, degrees" for name in names]

    def check(self, recorded: Recorded) -> None:
        """Refuse torsions or points that the molecule does not have."""
        if self.torsions is not None:
            find_torsions(recorded.topology, self.torsions)
            return
        points = [k for quadruple in self.points for k in quadruple]
        check_points(points, "quadruples", self.mapping is not None, recorded)


class ProgressCoordinate:
    """Torsions, -180 to 180 degrees (see ``base.ProgressCoordinate``)."""

    def __init__(self, config: Config) -> None:
        self.config = config
        quadruples = config.points
        if config.torsions is not None:
            quadruples = find_torsions(_read(config.topology), config.torsions)
        self._indices = np.array(quadruples)
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


def _read(path: str | None) -> object:
    import mdtraj

    if path is None or not Path(path).is_file():
        raise DataError(f"{path} does not exist. Give a PDB file of the atoms.")
    return mdtraj.load(path).topology
