"""RMSD to a reference structure after best superposition, Angstrom."""

from pathlib import Path
from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from apps.science.arrays import Array
from apps.science.errors import ShapeMismatchError
from apps.science.pcoords._beads import check_points, read_structure, to_beads
from apps.science.pcoords.base import PcoordConfig, Recorded
from apps.science.systems.superpose import superposed_rmsd


class Config(PcoordConfig):
    """Settings of the RMSD coordinate."""

    run_files: ClassVar[frozenset[str]] = frozenset({"reference"})
    kind: Literal["rmsd"] = "rmsd"
    reference: str = Field(
        description="Path of a .pdb or .npy (n_points, 3) structure, such as the run's "
        "system/protein.pdb: the recorded atoms, or the mapping's beads."
    )
    mapping: str | None = Field(
        None, description="Path of mapping.json; then the RMSD is that of beads."
    )
    atoms: list[int] | None = Field(
        None, description="Indices of the points to compare; by default all."
    )

    @property
    def labels(self) -> list[str]:
        """The one number."""
        return ["RMSD, Å"]

    def check(self, recorded: Recorded) -> None:
        """Refuse points that the frames do not have."""
        check_points(self.atoms or [], "atoms", self.mapping is not None, recorded)


class ProgressCoordinate:
    """RMSD to one structure (see ``base.ProgressCoordinate``)."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self.n_dim = 1
        structure = read_structure(Path(config.reference))
        self._reference = to_beads(structure[None], config.mapping)[0]

    def compute(self, positions: Array) -> Array:
        """Return (n_frames, 1), Angstrom."""
        points = to_beads(positions, self.config.mapping)
        if points.shape[1:] != self._reference.shape:
            raise ShapeMismatchError(
                f"Frames hold {points.shape[1]} points but the reference "
                f"{self.config.reference} has {len(self._reference)}. Use a reference "
                "of the same atoms, or give the mapping."
            )
        chosen = self.config.atoms
        rows = slice(None) if chosen is None else np.array(chosen)
        return superposed_rmsd(
            np.asarray(points[:, rows], dtype=float), self._reference[rows]
        )[:, None]
