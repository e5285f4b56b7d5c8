"""Weighted histograms of internal coordinates, gathered in one pass over the frames.

Fine bins stand in for the samples: medians and quantiles are read from them by
interpolation, so memory does not grow with the number of frames.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from apps.science.arrays import Array
from apps.science.cg.prior.tables import Types
from apps.science.statistics import kish_samples

MAD_TO_SIGMA = 1.4826
"""Median absolute deviation of a normal law to its standard deviation."""


@dataclass
class TypeHistograms:
    """One histogram per type; several members (bonds, pairs) may share a type.

    Attributes
    ----------
    types : one per row
    member_rows : (n_members,), the row that each measured column counts in
    counts : (n_types, n_bins), summed weights
    squares : (n_types,), summed squared weights, for the effective sample size
    """

    types: list[Types]
    member_rows: np.ndarray
    low: float
    high: float
    counts: Array
    squares: Array

    @classmethod
    def empty(
        cls, member_types: Sequence[Types], low: float, high: float, n_bins: int
    ) -> "TypeHistograms":
        """Return histograms without samples for members of the given types."""
        types = sorted(set(member_types))
        rows = np.array([types.index(t) for t in member_types], dtype=int)
        shape = (len(types), n_bins)
        return cls(types, rows, low, high, np.zeros(shape), np.zeros(len(types)))

    @property
    def n_bins(self) -> int:
        """Bins of each histogram."""
        return int(self.counts.shape[1])

    @property
    def centers(self) -> Array:
        """Middle of each bin."""
        centers: Array = self.low + (np.arange(self.n_bins) + 0.5) * self.width
        return centers

    @property
    def width(self) -> float:
        """Width of a bin."""
        return (self.high - self.low) / self.n_bins

    @property
    def effective_samples(self) -> Array:
        """Kish effective sample size of each type."""
        return kish_samples(self.counts.sum(axis=1), self.squares)

    def add(self, values: Array, weights: Array) -> None:
        """Count values (n_frames, n_members) with weights (n_frames,)."""
        n_bins = self.n_bins
        bins = ((values - self.low) / self.width).astype(int).clip(0, n_bins - 1)
        flat = (self.member_rows * n_bins + bins).ravel()
        repeated = np.broadcast_to(weights[:, None], values.shape).ravel()
        self.counts += np.bincount(
            flat, weights=repeated, minlength=self.counts.size
        ).reshape(self.counts.shape)
        np.add.at(self.squares, self.member_rows, (weights**2).sum())


def merge_histograms(
    parts: Sequence[TypeHistograms], masses: Sequence[float]
) -> TypeHistograms:
    """Return the types of all parts, each part's weights divided by its mass.

    The parts have the same bins. The result has no members: it is to be read only.

    Parameters
    ----------
    masses : summed weight of the frames behind each part, above zero
    """
    first = parts[0]
    types = sorted({t for part in parts for t in part.types})
    merged = TypeHistograms.empty(types, first.low, first.high, first.n_bins)
    for part, mass in zip(parts, masses, strict=True):
        rows = [types.index(t) for t in part.types]
        merged.counts[rows] += part.counts / mass
        merged.squares[rows] += part.squares / mass**2
    return replace(merged, member_rows=np.zeros(0, dtype=int))


def interpolate_quantile(
    counts: Array, low: float, width: float, fraction: float
) -> float:
    """Return the ``fraction`` quantile of a histogram, linear inside its bin."""
    cumulative = np.concatenate([[0.0], np.cumsum(counts)])
    target = fraction * cumulative[-1]
    bin_index = int(np.searchsorted(cumulative, target, side="left").clip(1)) - 1
    inside = (target - cumulative[bin_index]) / max(counts[bin_index], 1e-300)
    return float(low + (bin_index + min(inside, 1.0)) * width)


def median_absolute_deviation(counts: Array, distances: Array) -> float:
    """Return the weighted median of ``distances`` (any shape, as ``counts``)."""
    order = np.argsort(distances, axis=None, kind="stable")
    cumulative = np.cumsum(counts.ravel()[order])
    middle = int(np.searchsorted(cumulative, 0.5 * cumulative[-1]))
    return float(distances.ravel()[order][min(middle, len(order) - 1)])


@dataclass(frozen=True)
class RobustNormal:
    """Median and robust spread of each type, with how much data stood behind it."""

    center: Array
    sigma: Array


def fit_robust_normal(histograms: TypeHistograms, n_shrink: float) -> RobustNormal:
    """Return the median and shrunk 1.4826 MAD of every type.

    Parameters
    ----------
    n_shrink : effective samples that the spread pooled over all types is worth
    """
    counts, centers = histograms.counts, histograms.centers
    median = np.array(
        [
            interpolate_quantile(row, histograms.low, histograms.width, 0.5)
            for row in counts
        ]
    )
    distances = np.abs(centers[None, :] - median[:, None])
    own = np.array(
        [
            median_absolute_deviation(row, away)
            for row, away in zip(counts, distances, strict=True)
        ]
    )
    pooled = median_absolute_deviation(counts, distances)
    n = histograms.effective_samples
    mixed = (n * own + n_shrink * pooled) / (n + n_shrink)
    return RobustNormal(median, MAD_TO_SIGMA * np.maximum(mixed, histograms.width))
