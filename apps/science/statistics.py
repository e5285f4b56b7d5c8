"""Statistics of weighted samples: ESS, quantiles, histograms, divergences, W1.

Histograms here are *masses*: they sum to one and hold two bins more than their
edges enclose, one below the first edge and one beyond the last, so that a model
which leaves the reference's range is counted and not forgotten. The divergences
work along the last axis, so one call serves all rows of a bootstrap.
"""

import numpy as np

from apps.science.arrays import Array, IntArray
from apps.science.errors import ShapeMismatchError, WeightError

RANGE_QUANTILES = (0.0005, 0.9995)
"""Part of the reference that shared bins cover: 0.05 to 99.95 %."""


def kish_samples(total: Array | float, squares: Array | float) -> Array:
    """Return (sum w)^2 / sum w^2 (Kish), 0 where all weights are zero.

    Parameters
    ----------
    total, squares : sums of weights, and of squared weights; of the same shape
    """
    total, squares = np.asarray(total, dtype=float), np.asarray(squares, dtype=float)
    samples: Array = np.divide(
        total**2, squares, out=np.zeros_like(total), where=squares > 0
    )
    return samples


def effective_sample_size(weights: Array) -> float:
    """Return Kish's effective sample size: equally weighted frames worth the same.

    Raises
    ------
    WeightError
        If a weight is negative or not finite, or all are zero.
    """
    w = np.asarray(weights, dtype=float)
    total = w.sum()
    if not np.isfinite(total) or total <= 0 or w.min() < 0:
        raise WeightError(
            f"The sum of {w.size} weights is {total:g}; expected finite weights, none "
            "negative and not all zero. Look at the cutoff and the burn-in."
        )
    scaled = w / w.max()  # tiny WE weights would underflow when squared
    return float(kish_samples(scaled.sum(), (scaled**2).sum()))


def weighted_quantile(values: Array, weights: Array, quantiles: Array) -> Array:
    """Return the smallest values at which the weighted CDF reaches ``quantiles``.

    Parameters
    ----------
    values : (n,)
    weights : (n,)
    quantiles : (q,), between 0 and 1

    Returns
    -------
    (q,); always a value of the sample, so a frame of weight two is two frames.
    """
    x, w = _check_pair(values, weights)
    keep = w > 0
    x, w = x[keep], w[keep]
    order = np.argsort(x, kind="stable")
    cdf = np.cumsum(w[order])
    # relative slack: 0.1 + 0.2 must reach the quantile 0.3
    targets = np.asarray(quantiles, dtype=float) * cdf[-1] * (1 - 1e-12)
    rows = np.searchsorted(cdf, targets, side="left")
    return np.asarray(x[order][np.minimum(rows, len(x) - 1)])


def shared_edges(values: Array, weights: Array, n_bins: int = 100) -> Array:
    """Return (n_bins + 1,) equal bins over the reference's 0.05 to 99.95 % range."""
    low, high = weighted_quantile(values, weights, np.array(RANGE_QUANTILES))
    if high - low < 1e-9 * max(1.0, abs(low)):
        low, high = low - 0.5, high + 0.5
    return np.linspace(low, high, n_bins + 1)


def periodic_edges(period: float, n_bins: int = 100) -> Array:
    """Return (n_bins + 1,) equal bins over -period/2 to period/2."""
    return np.linspace(-period / 2, period / 2, n_bins + 1)


def bin_values(values: Array, edges: Array) -> IntArray:
    """Return each value's bin: 0 below the first edge, len(edges) beyond the last.

    The last bin includes its upper edge.
    """
    index = np.searchsorted(edges, values, side="right")
    return np.asarray(np.where(values == edges[-1], len(edges) - 1, index))


def weighted_histogram(values: Array, weights: Array, edges: Array) -> Array:
    """Return masses (len(edges) + 1,): below, each bin, beyond; they sum to one."""
    x, w = _check_pair(values, weights)
    masses = np.bincount(bin_values(x, edges), w, minlength=len(edges) + 1)
    return np.asarray(masses / masses.sum())


def add_pseudocount(masses: Array, ess: float) -> Array:
    """Add one effective sample (a mass of 1 / ess) to every bin of the last axis.

    A set worth ``ess`` frames cannot tell a mass below 1 / ess from none. Without
    this an empty bin makes KL infinite; with a fixed tiny number KL measures that
    number. What a small set cannot show then costs little, and KL of sets that do
    not overlap still grows with their size.
    """
    share = 1.0 / ess
    return np.asarray((masses + share) / (1.0 + masses.shape[-1] * share))


def kl_divergence(reference: Array, model: Array) -> Array:
    """Return KL(reference || model) = sum p ln(p / q), nats, along the last axis."""
    p, q = np.broadcast_arrays(reference, model)
    with np.errstate(divide="ignore", invalid="ignore"):
        terms = np.where(p > 0, p * np.log(p / q), 0.0)
    return np.asarray(terms.sum(axis=-1))


def js_divergence(first: Array, second: Array) -> Array:
    """Return the Jensen-Shannon divergence, nats (at most ln 2), last axis."""
    middle = (first + second) / 2
    return (kl_divergence(first, middle) + kl_divergence(second, middle)) / 2


def _check_pair(values: Array, weights: Array) -> tuple[Array, Array]:
    x, w = np.asarray(values, dtype=float), np.asarray(weights, dtype=float)
    if x.ndim != 1 or x.shape != w.shape or not x.size:
        raise ShapeMismatchError(
            f"Values have shape {x.shape} and weights {w.shape}; expected one weight "
            "for each of at least one value."
        )
    if not np.isfinite(x).all() or w.min() < 0 or not 0 < w.sum() < np.inf:
        raise WeightError(
            "Values must be finite and weights finite, not negative and not all zero; "
            f"found {np.sum(~np.isfinite(x))} values that are not finite and weights "
            f"that sum to {w.sum():g}."
        )
    return x, w
