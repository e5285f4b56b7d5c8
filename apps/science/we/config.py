"""What a person sets about a weighted-ensemble run."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from apps.science.config_base import StrictConfig


class MabBins(StrictConfig):
    """Minimal adaptive binning (Torrillo, Bogetti and Chong, 2021)."""

    kind: Literal["mab"] = "mab"
    nbins: tuple[int, ...] = Field(
        (9, 9), min_length=1, description="Linear bins along each progress coordinate."
    )
    bottleneck: bool = Field(True, description="Give bottleneck walkers their own bin.")

    @property
    def n_dim(self) -> int:
        """Progress coordinates these bins divide."""
        return len(self.nbins)


class RectilinearBins(StrictConfig):
    """A fixed grid; outer edges are extended to infinity."""

    kind: Literal["rectilinear"] = "rectilinear"
    edges: tuple[tuple[float, ...], ...] = Field(
        min_length=1, description="Inner bin edges along each progress coordinate."
    )

    @property
    def n_dim(self) -> int:
        """Progress coordinates these bins divide."""
        return len(self.edges)

    @model_validator(mode="after")
    def _edges_rise(self) -> "RectilinearBins":
        for edges in self.edges:
            if not edges or list(edges) != sorted(set(edges)):
                raise ValueError(
                    f"bin edges must rise strictly and not be empty; found {edges}."
                )
        return self


Bins = Annotated[MabBins | RectilinearBins, Field(discriminator="kind")]


class WEConfig(StrictConfig):
    """Iterations, walkers and bins of one WE run."""

    n_iterations: int = Field(gt=0, description="Iterations (resampling steps) to run.")
    walkers_per_bin: int = Field(
        6, gt=0, description="Walkers kept in every occupied bin."
    )
    bins: Bins = Field(default_factory=MabBins, description="How walkers are binned.")
    segments_per_block: int | Literal["auto"] = Field(
        "auto", description="Segments in one task; auto balances them over the workers."
    )
    blocks_per_worker: int = Field(
        3, gt=0, description="Blocks a worker gets per iteration when auto."
    )
