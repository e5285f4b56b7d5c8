"""What a person sets about a weighted-ensemble run."""

import math
from typing import Annotated, Final, Literal, Self

from pydantic import Field, model_validator

from apps.science.config_base import StrictConfig
from apps.science.we.failures import FailureBudgets

MOST_BINS: Final = 10_000
_BYTES_PER_PAIR: Final = 16
"""WESTPA keeps a flux and a count for every pair of bins."""
MOST_WALKERS: Final = 1_000_000
"""In one iteration; WESTPA makes a Python object of each."""

MOST_TARGETS: Final = 100

_OpenFloat = Annotated[float, Field(allow_inf_nan=True)]
"""A number that a check of its own requires to be finite, in better words."""


class MabBins(StrictConfig):
    """Minimal adaptive binning (Torrillo, Bogetti and Chong, 2021)."""

    kind: Literal["mab"] = "mab"
    nbins: tuple[int, ...] = Field(
        (9, 9), min_length=1, description="Linear bins along each progress coordinate."
    )
    bottleneck: bool = Field(True, description="Give bottleneck walkers their own bin.")
    direction: tuple[Literal[0, 1, -1, 86], ...] | None = Field(
        None,
        description="Per coordinate: own bins for both ends (0), the leading one (1), "
        "the lagging one (-1), or for bottlenecks only (86).",
    )
    skip: tuple[bool, ...] | None = Field(
        None, description="Per coordinate: true leaves it undivided."
    )

    @property
    def n_dim(self) -> int:
        """Progress coordinates these bins divide."""
        return len(self.nbins)

    @property
    def n_bins(self) -> int:
        """Bins in all: the linear ones, and those of ends and bottlenecks."""
        skip = self.skip or (False,) * self.n_dim
        direction = self.direction or (0,) * self.n_dim
        ends = {0: 2, 1: 1, -1: 1, 86: 0}
        necks = {0: 2, 1: 1, -1: 1, 86: 2}
        linear, extra = 1, 0
        for n, skipped, way in zip(self.nbins, skip, direction, strict=True):
            if not skipped:
                linear *= n
                extra += ends[way] + self.bottleneck * necks[way]
        return linear + extra

    @model_validator(mode="after")
    def _one_option_per_coordinate(self) -> Self:
        if min(self.nbins) < 1:
            raise ValueError(f"nbins must be 1 or more; found {self.nbins}.")
        for name, values in (("direction", self.direction), ("skip", self.skip)):
            if values is not None and len(values) != self.n_dim:
                raise ValueError(
                    f"{name} has {len(values)} entries for {self.n_dim} progress "
                    "coordinates. Give one for each."
                )
        if self.skip is not None and all(self.skip):
            raise ValueError("skip leaves no progress coordinate to divide.")
        return self


class RectilinearBins(StrictConfig):
    """A fixed grid; outer edges are extended to infinity."""

    kind: Literal["rectilinear"] = "rectilinear"
    edges: tuple[tuple[_OpenFloat, ...], ...] = Field(
        min_length=1, description="Inner bin edges along each progress coordinate."
    )

    @property
    def n_dim(self) -> int:
        """Progress coordinates these bins divide."""
        return len(self.edges)

    @property
    def n_bins(self) -> int:
        """Bins in all."""
        return math.prod(len(edges) + 1 for edges in self.edges)

    @model_validator(mode="after")
    def _edges_rise(self) -> Self:
        for edges in self.edges:
            if not all(math.isfinite(x) for x in edges):
                raise ValueError(
                    "bin edges must be finite; the outer bins reach to infinity by "
                    f"themselves. Found {edges}."
                )
            if not edges or list(edges) != sorted(set(edges)):
                raise ValueError(
                    f"bin edges must rise strictly and not be empty; found {edges}."
                )
        return self


class VoronoiBins(StrictConfig):
    """Cells around fixed centres: a walker belongs to the nearest one."""

    kind: Literal["voronoi"] = "voronoi"
    centers: tuple[tuple[_OpenFloat, ...], ...] = Field(
        description="Centres, each a value per progress coordinate."
    )
    scale: tuple[float, ...] | None = Field(
        None,
        description="Per coordinate: the length that counts as one in the distance.",
    )

    @property
    def n_dim(self) -> int:
        """Progress coordinates these bins divide."""
        return len(self.centers[0])

    @property
    def n_bins(self) -> int:
        """Bins in all."""
        return len(self.centers)

    @model_validator(mode="after")
    def _centers_make_cells(self) -> Self:
        if len(self.centers) < 2:
            raise ValueError(
                f"Voronoi bins need 2 centres or more; found {len(self.centers)}."
            )
        dims = sorted({len(center) for center in self.centers})
        if len(dims) > 1 or dims[0] == 0:
            raise ValueError(
                "Voronoi centres must have one dimension for each progress "
                f"coordinate, all alike; found centres of {dims} dimensions."
            )
        if not all(math.isfinite(x) for center in self.centers for x in center):
            raise ValueError("Voronoi centres must be finite numbers.")
        twice = sorted({c for c in self.centers if self.centers.count(c) > 1})
        if twice:
            raise ValueError(
                f"the Voronoi centre {list(twice[0])} stands there more than once. "
                "Each must differ from the others."
            )
        if self.scale is not None and (
            len(self.scale) != self.n_dim
            or not all(math.isfinite(x) and x > 0 for x in self.scale)
        ):
            raise ValueError(
                f"scale must have a positive number for each of {self.n_dim} "
                f"progress coordinates; found {list(self.scale)}."
            )
        return self


Bins = Annotated[MabBins | RectilinearBins | VoronoiBins, Field(discriminator="kind")]


class Target(StrictConfig):
    """A state whose walkers are sent back to the starting states (steady state)."""

    label: str = Field("target", min_length=1, description="Name in west.h5.")
    pcoord: tuple[_OpenFloat, ...] | None = Field(
        None, description="A point: the bin or cell that holds it (no adaptive bins)."
    )
    region: tuple[tuple[_OpenFloat | None, _OpenFloat | None], ...] | None = Field(
        None, description="Low and high per progress coordinate; null is open."
    )

    @property
    def n_dim(self) -> int:
        """Progress coordinates that place this target."""
        return len(self.region or self.pcoord or ())

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        if (self.pcoord is None) == (self.region is None):
            raise ValueError(
                f"target {self.label!r} needs either pcoord or region, not both."
            )
        for low, high in self.region or ():
            if any(x is not None and not math.isfinite(x) for x in (low, high)):
                raise ValueError("a target's bounds must be finite; null is open.")
            if low is not None and high is not None and low >= high:
                raise ValueError(
                    f"target {self.label!r} is empty: {low} to {high}. The low bound "
                    "must be below the high one."
                )
        if not all(math.isfinite(x) for x in self.pcoord or ()):
            raise ValueError(
                f"target {self.label!r} lies outside the space: {self.pcoord}."
            )
        return self

    def overlaps(self, other: "Target") -> bool:
        """Say whether two regions share a point."""
        if self.region is None or other.region is None:
            return self.pcoord is not None and self.pcoord == other.pcoord
        for (low, high), (other_low, other_high) in zip(
            self.region, other.region, strict=True
        ):
            lows = [x for x in (low, other_low) if x is not None]
            highs = [x for x in (high, other_high) if x is not None]
            if lows and highs and max(lows) >= min(highs):
                return False
        return True


class WEConfig(StrictConfig):
    """Iterations, walkers and bins of one WE run."""

    n_iterations: int = Field(
        gt=0, le=1_000_000, description="Iterations (resampling steps) to run."
    )
    walkers_per_bin: int = Field(
        6, gt=0, le=MOST_WALKERS, description="Walkers kept in every occupied bin."
    )
    bins: Bins = Field(default_factory=MabBins, description="How walkers are binned.")
    segments_per_block: Annotated[int, Field(gt=0)] | Literal["auto"] = Field(
        "auto", description="Segments in one task; auto balances them over the workers."
    )
    blocks_per_worker: int | None = Field(
        None,
        gt=0,
        le=1000,
        description="Blocks a worker gets per iteration when auto; null leaves it to "
        "the propagator.",
    )
    one_bin_patience: int = Field(
        20,
        ge=0,
        description="Stop a run whose walkers are all in one bin for this many "
        "iterations from the first; 0 never.",
    )
    failures: FailureBudgets = Field(
        default_factory=FailureBudgets, description="How often a block may fail."
    )
    targets: tuple[Target, ...] = Field(
        (),
        description="Recycling targets; none gives an equilibrium run.",
    )
    weight_split_threshold: float = Field(
        2.0, gt=1, description="Split above this multiple of a bin's ideal weight."
    )
    weight_merge_cutoff: float = Field(
        1.0, gt=0, description="Merge up to this multiple of a bin's ideal weight."
    )
    largest_allowed_weight: float = Field(
        1.0, gt=0, le=1, description="Heavier walkers are split, beyond the count."
    )
    smallest_allowed_weight: float = Field(
        1e-310, gt=0, lt=1, description="Lighter walkers are merged within a bin."
    )

    @model_validator(mode="after")
    def _thresholds_leave_room(self) -> Self:
        if self.smallest_allowed_weight >= self.largest_allowed_weight:
            raise ValueError(
                f"smallest_allowed_weight {self.smallest_allowed_weight:g} must be "
                f"below largest_allowed_weight {self.largest_allowed_weight:g}."
            )
        return self

    @model_validator(mode="after")
    def _bins_are_not_too_many(self) -> Self:
        if len(self.targets) > MOST_TARGETS:
            raise ValueError(
                f"targets holds {len(self.targets)} targets; at most {MOST_TARGETS} "
                "are possible. Join those that mean the same state into one region."
            )
        n_bins = self.bins.n_bins + len(self.targets)
        if n_bins > MOST_BINS:
            gib = _BYTES_PER_PAIR * n_bins**2 / 2**30
            raise ValueError(
                f"bins makes {n_bins:,} bins, and WESTPA keeps a table of every pair "
                f"of them: {gib:,.0f} GiB of memory. At most {MOST_BINS:,} are "
                "possible; a few dozen to a few hundred are usual."
            )
        n_walkers = n_bins * self.walkers_per_bin
        if n_walkers > MOST_WALKERS:
            raise ValueError(
                f"{n_bins:,} bins of {self.walkers_per_bin:,} walkers (walkers_per_bin)"
                f" may come to {n_walkers:,} walkers in an iteration. At most "
                f"{MOST_WALKERS:,} are possible."
            )
        return self

    @model_validator(mode="after")
    def _targets_fit_the_bins(self) -> Self:
        n_dim = self.bins.n_dim
        for i, target in enumerate(self.targets):
            if target.n_dim != n_dim:
                raise ValueError(
                    f"target {target.label!r} lies outside the space: it has "
                    f"{target.n_dim} dimensions, the bins divide {n_dim}."
                )
            if target.pcoord is not None and isinstance(self.bins, MabBins):
                raise ValueError(
                    f"target {target.label!r} is a point, but adaptive bins move: "
                    "give it a region."
                )
            for other in self.targets[:i]:
                if target.overlaps(other) or target.label == other.label:
                    raise ValueError(
                        f"targets {other.label!r} and {target.label!r} overlap or "
                        "share a label. Separate them."
                    )
        return self
