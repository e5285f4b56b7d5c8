"""Time-lagged independent components of bead geometry (tica.npz) as coordinate."""

from pathlib import Path
from typing import ClassVar, Literal

from pydantic import Field

from apps.science.arrays import Array
from apps.science.errors import ConfigError
from apps.science.pcoords._beads import to_beads
from apps.science.pcoords._tica_fit import N_TO_LOOK_AT, fit_tica
from apps.science.pcoords._tica_model import TicaModel, read_tica
from apps.science.pcoords.base import RUN, PcoordConfig, Recorded

__all__ = [
    "N_TO_LOOK_AT", "Config", "ProgressCoordinate", "TicaModel", "fit_tica",
    "read_tica",
]  # fmt: skip


class Config(PcoordConfig):
    """Settings of the TICA coordinate."""

    run_files: ClassVar[frozenset[str]] = frozenset({"model", "mapping"})
    kind: Literal["tica"] = "tica"
    model: str = Field(description="Path of tica.npz, written by fit_tica.")
    mapping: str | None = Field(
        None, description="Path of mapping.json; without it frames must be beads."
    )
    n_dim: int = Field(2, gt=0, description="Components to use, slowest first.")

    @property
    def n_coordinates(self) -> int:
        """Components used."""
        return self.n_dim

    @property
    def labels(self) -> list[str]:
        """TIC 0, TIC 1: components have unit variance, and no unit."""
        return [f"TIC {k}" for k in range(self.n_dim)]

    def check(self, recorded: Recorded) -> None:
        """Refuse more components than a campaign fits."""
        if self.model == RUN and self.n_dim > N_TO_LOOK_AT:
            raise ConfigError(
                f"n_dim {self.n_dim} is more than the {N_TO_LOOK_AT} components that "
                f"a campaign fits. Use {N_TO_LOOK_AT} or fewer."
            )


class ProgressCoordinate:
    """The first components of a fitted model (see ``base.ProgressCoordinate``)."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self.n_dim = config.n_dim
        self.model = read_tica(Path(config.model))
        if self.model.n_dim < config.n_dim:
            raise ConfigError(
                f"{config.model} has {self.model.n_dim} components; {config.n_dim} "
                "were asked for. Fit it with a larger n_dim."
            )

    def compute(self, positions: Array) -> Array:
        """Return (n_frames, n_dim) from atoms or beads, Angstrom."""
        beads = to_beads(positions, self.config.mapping)
        return self.model.project(beads)[:, : self.n_dim]
