"""A progress coordinate of one's own: how far apart two atoms are."""

from typing import Literal

import numpy as np
from pydantic import Field

from apps.science.errors import ConfigError
from apps.science.pcoords.base import PcoordConfig, Recorded


class Config(PcoordConfig):
    """Which two; by default the first and the last that are recorded."""

    kind: Literal["end_distance"] = "end_distance"
    first: int = Field(0, ge=0, description="Number of one atom, from zero.")
    last: int = Field(-1, ge=-1, description="Of the other; -1 is the last one.")

    @property
    def labels(self) -> list[str]:
        """The axis, with its unit."""
        return ["end-to-end distance, Å"]

    def check(self, recorded: Recorded) -> None:
        """Refuse atoms that the protein does not have."""
        if max(self.first, self.last) >= recorded.n_atoms:
            raise ConfigError(
                f"sample.pcoord names atom {max(self.first, self.last)}; the protein "
                f"has about {recorded.n_atoms}, numbered from zero."
            )


class ProgressCoordinate:
    """Their distance."""

    n_dim = 1

    def __init__(self, config: Config) -> None:
        self._pair = config.first, config.last

    def compute(self, positions: np.ndarray) -> np.ndarray:
        """Return (n_frames, 1), Å, of positions (n_frames, n_atoms, 3)."""
        first, last = self._pair
        apart = positions[:, last].astype(float) - positions[:, first]
        return np.linalg.norm(apart, axis=-1)[:, None]
