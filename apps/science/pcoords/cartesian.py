"""Chosen Cartesian coordinates of the first point, for toy potentials."""

from typing import Literal

import numpy as np
from pydantic import Field

from apps.science.arrays import Array
from apps.science.pcoords.base import PcoordConfig


class Config(PcoordConfig):
    """Settings of the Cartesian coordinate."""

    kind: Literal["cartesian"] = "cartesian"
    axes: list[Literal[0, 1, 2]] = Field(
        default=[0], min_length=1, description="0, 1, 2 for x, y, z of point 0."
    )


class ProgressCoordinate:
    """x, y or z of the first point (see ``base.ProgressCoordinate``)."""

    def __init__(self, config: Config) -> None:
        self._axes = np.array(config.axes)
        self.n_dim = len(self._axes)

    def compute(self, positions: Array) -> Array:
        """Return (n_frames, n_dim), Angstrom."""
        return np.asarray(positions[:, 0, self._axes], dtype=float)
