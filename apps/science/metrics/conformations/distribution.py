"""Compare the distribution of a few numbers per frame: KL, JS, W1 and densities."""

from abc import ABC, abstractmethod
from typing import ClassVar

import numpy as np

from apps.science.arrays import Array
from apps.science.metrics.conformations.base import (
    Beads,
    Comparison,
    Result,
    WeightedSet,
)
from apps.science.resampling import compare_blocks, sum_blocks
from apps.science.statistics import (
    add_pseudocount,
    bin_values,
    js_divergence,
    kl_divergence,
    periodic_edges,
    shared_edges,
)

N_FRAMES_PER_BATCH = 8192
N_BINS = 100
N_TRANSPORT_BINS = 512


class DistributionMetric(ABC):
    """Base of metrics that are a distribution; subclasses say what is observed.

    The values of a frame are pooled: each counts with the frame's weight.
    """

    label: ClassVar[str]
    unit: ClassVar[str]
    period: ClassVar[float | None] = None
    """Length of the circle the values live on, centred at zero; None for a line."""

    def undefined(self, beads: Beads) -> str | None:
        """Return why the metric has no meaning for these beads, None if it has."""
        return None

    @abstractmethod
    def observe(self, positions: Array, beads: Beads) -> Array:
        """Return (n_frames, k) for positions (n_frames, n_beads, 3), Angstrom."""

    def compare(self, comparison: Comparison) -> Result:
        """Compare on bins shared by both sets."""
        sets = (comparison.reference, comparison.model)
        values = [observe_all(self, s.positions, comparison.beads) for s in sets]
        pooled = [
            np.repeat(s.weight, v.shape[1]) for s, v in zip(sets, values, strict=True)
        ]
        if self.period is None:
            edges = shared_edges(values[0].ravel(), pooled[0], N_BINS)
        else:
            edges = periodic_edges(self.period, N_BINS)
        masses = [sum_bins(s, v, edges) for s, v in zip(sets, values, strict=True)]
        if self.period is not None:  # a circle has no outside
            masses = [m[:, 1:-1] for m in masses]
        ess = (sets[0].ess, sets[1].ess)
        figures = {
            name: compare_blocks(function, masses, ess, comparison.plan, "nats")
            for name, function in (("kl", kl_of_sums), ("js", js_of_sums))
        }
        transport = Transport(values[0], values[1], period=self.period)
        figures["w1"] = compare_blocks(
            transport.w1_of_sums,
            [transport.sums(s, v) for s, v in zip(sets, values, strict=True)],
            ess, comparison.plan, self.unit,
        )  # fmt: skip
        pad = 0 if self.period is None else 1
        drawn = [np.pad(m.sum(0) / m.sum(), pad) for m in masses]
        plans = (comparison.plan.reference, comparison.plan.model)
        bands = [
            np.pad(bound_masses(plan, m), ((0, 0), (pad, pad)))
            for plan, m in zip(plans, masses, strict=True)
        ]
        means = None
        if self.period is None:
            means = [float(np.average(v.ravel(), weights=w))
                     for v, w in zip(values, pooled, strict=True)]  # fmt: skip
        return Result(
            figures=figures,
            details={
                "reference_mean": None if means is None else means[0],
                "model_mean": None if means is None else means[1],
                "model_outside": float(drawn[1][0] + drawn[1][-1]),
            },
            arrays={
                "edges": edges,
                "reference": drawn[0],
                "model": drawn[1],
                "reference_band": bands[0],
                "model_band": bands[1],
            },
        )


def bound_masses(plan: Array, masses: Array) -> Array:
    """Return the 95 % interval of each bin's share, (2, n_bins).

    Parameters
    ----------
    plan : (n_bootstrap, n_blocks), how often each block is drawn
    masses : (n_blocks, n_bins)
    """
    drawn = plan @ masses
    drawn = drawn[drawn.sum(axis=1) > 0]
    return np.asarray(np.percentile(normalise(drawn), [2.5, 97.5], axis=0))


def observe_all(metric: DistributionMetric, positions: Array, beads: Beads) -> Array:
    """Return (n_frames, k), a batch of frames at a time; angles are wrapped."""
    values = np.concatenate(
        [
            metric.observe(positions[i : i + N_FRAMES_PER_BATCH], beads)
            for i in range(0, len(positions), N_FRAMES_PER_BATCH)
        ]
    )
    if metric.period is not None:
        values = (values / metric.period + 0.5) % 1.0 * metric.period
        values = values - metric.period / 2
    return np.asarray(values)


def sum_bins(one: WeightedSet, values: Array, edges: Array) -> Array:
    """Return the masses of each block, (n_blocks, len(edges) + 1)."""
    index = bin_values(values, edges)
    weight = np.broadcast_to(one.weight[:, None], index.shape)
    return sum_blocks(one.block, one.n_blocks, index, weight, len(edges) + 1)


def kl_of_sums(a: Array, b: Array, ess_a: float, ess_b: float) -> Array:
    """Return KL(a || b), nats, of rows of summed masses (n_rows, n_bins)."""
    return kl_divergence(
        add_pseudocount(normalise(a), ess_a), add_pseudocount(normalise(b), ess_b)
    )


def js_of_sums(a: Array, b: Array, ess_a: float, ess_b: float) -> Array:
    """Return the Jensen-Shannon divergence, nats, of rows of summed masses."""
    return js_divergence(normalise(a), normalise(b))


def normalise(masses: Array) -> Array:
    """Return rows that sum to one."""
    return np.asarray(masses / masses.sum(axis=-1, keepdims=True))


class Transport:
    """Wasserstein-1 from sums over fine bins, so that a bootstrap is a product.

    W1 is the integral of |F - G| (Vallender, 1974). Each bin keeps its mass and
    the first moment to its upper edge, which give the integral of F over the bin
    exactly; what is lost is a change of sign of F - G within one bin. On a circle W1
    is the least integral of |F - G - c| over c (Rabin, Delon and Gousseau, 2011).

    Parameters
    ----------
    reference, model : values of the two sets; on a line the bins are quantiles of both
    """

    def __init__(
        self,
        reference: Array,
        model: Array,
        period: float | None = None,
        n_bins: int = N_TRANSPORT_BINS,
    ) -> None:
        self.period = period
        if period is not None:
            self.edges = periodic_edges(period, n_bins)
            return
        levels = np.linspace(0.0, 1.0, n_bins // 2 + 1)
        edges = np.unique(
            np.concatenate([np.quantile(v.ravel(), levels) for v in (reference, model)])
        )
        self.edges = edges if len(edges) > 1 else np.array([edges[0], edges[0] + 1.0])

    def sums(self, one: WeightedSet, values: Array) -> Array:
        """Return masses and moments by block, (n_blocks, 2 n_bins)."""
        n_bins = len(self.edges) - 1
        index = np.clip(bin_values(values, self.edges) - 1, 0, n_bins - 1)
        weight = np.broadcast_to(one.weight[:, None], index.shape)
        moment = weight * (self.edges[index + 1] - values)
        return np.hstack(
            [
                sum_blocks(one.block, one.n_blocks, index, part, n_bins)
                for part in (weight, moment)
            ]
        )

    def w1_of_sums(self, a: Array, b: Array, ess_a: float, ess_b: float) -> Array:
        """Return W1 of rows of summed masses and moments, (n_rows,)."""
        gap = self._integrate_cdf(a) - self._integrate_cdf(b)
        if self.period is not None:  # equal bins: the best c is the median
            gap = gap - np.median(gap, axis=-1, keepdims=True)
        return np.asarray(np.abs(gap).sum(axis=-1))

    def _integrate_cdf(self, sums: Array) -> Array:
        n_bins = len(self.edges) - 1
        total = sums[:, :n_bins].sum(axis=-1, keepdims=True)
        mass, moment = sums[:, :n_bins] / total, sums[:, n_bins:] / total
        below = np.cumsum(mass, axis=-1) - mass
        return np.asarray(below * np.diff(self.edges) + moment)
