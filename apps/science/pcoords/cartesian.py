"""Chosen Cartesian coordinates of the first point, for toy potentials."""

from typing import Literal

import numpy as np
from pydantic import Field

from apps.science.arrays import Array
from apps.science.errors import ConfigError
from apps.science.pcoords.base import PcoordConfig, Recorded


class Config(PcoordConfig):
    """Settings of the Cartesian coordinate."""

    kind: Literal["cartesian"] = "cartesian"
    axes: list[Literal[0, 1, 2]] = Field(
        default=[0], min_length=1, description="0, 1, 2 for x, y, z of point 0."
    )

    @property
    def n_coordinates(self) -> int:
        """Axes used."""
        return len(self.axes)

    @property
    def labels(self) -> list[str]:
        """The names of the axes."""
        return [f"{'xyz'[k]}, Å" for k in self.axes]

    def check(self, recorded: Recorded) -> None:
        """Refuse a molecule, which turns and drifts."""
        raise ConfigError(
            "Cartesian coordinates are those of the first atom in space, for toy "
            "potentials; a molecule turns and drifts. Use a coordinate of its shape: "
            "tica, dihedrals, rmsd."
        )


class ProgressCoordinate:
    """x, y or z of the first point (see ``base.ProgressCoordinate``)."""

    def __init__(self, config: Config) -> None:
        self._axes = np.array(config.axes)
        self.n_dim = len(self._axes)

    def compute(self, positions: Array) -> Array:
        """Return (n_frames, n_dim), Angstrom."""
        return np.asarray(positions[:, 0, self._axes], dtype=float)
