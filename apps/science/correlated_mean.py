"""The mean of a correlated series with an interval that sees slow parts.

The variance of a mean is the spectrum at frequency zero over the length. Sums of
autocorrelations up to the first that is not positive, and block lengths taken from
them, miss a slow part under fast noise: there the first autocorrelations are small
and soon negative by chance. Here the spectrum is white noise and one slow part,

    S(w) = q [r g_t(w) + 1 - r],   g_t(w) = (1 - a^2) / (1 - 2 a cos w + a^2),
    a = exp(-1 / t),

its likelihood is Whittle's (Bull. Inst. Int. Stat. 39, 105, 1961) over the discrete
cosine transform of the series, and the interval is averaged over all (t, r) that the
series leaves open, each by its likelihood. The law before the data is 1 / sqrt(t) on
a logarithmic scale of times up to the length of the series: slow parts that it cannot
exclude widen the interval.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from apps.science.arrays import Array
from apps.science.errors import ConfigError

FEW_CORRELATION_TIMES: Final = 30.0
"""A series of fewer is too short for its interval to be taken at its word."""

_SHORTEST_TIME = 0.3
_N_TIMES = 28
_N_SINGLE = 32
"""Slow frequencies that are kept one by one; faster ones are summed in groups."""
_N_GROUPS = 40
_SLOW_SHARES = np.array([0.02, *(1 / (1 + np.exp(-np.linspace(-3.5, 6, 22)))), 1.0])


@dataclass(frozen=True)
class CorrelatedMean:
    """A mean with its 95 % interval.

    Attributes
    ----------
    correlation_time : integrated, 1 + 2 sum of autocorrelations, in entries; as many
        entries tell as much of the mean as one that is independent
    n_entries : of the series
    """

    mean: float
    low: float
    high: float
    correlation_time: float
    n_entries: int

    @property
    def n_correlation_times(self) -> float:
        """How many correlation times the series is long."""
        return self.n_entries / self.correlation_time

    @property
    def is_short(self) -> bool:
        """Whether the series is too short for its interval to be trusted."""
        return self.n_correlation_times < FEW_CORRELATION_TIMES


def estimate_mean(series: Array) -> CorrelatedMean:
    """Return the mean of a stationary series and its 95 % interval.

    A series without negative entries gets an interval of factors,
    mean exp(-h / mean) to mean exp(h / mean) for a half width of h: it stays positive,
    and its longer upper side covers better what rare large entries make of a mean.

    Parameters
    ----------
    series : (n,), entries at even distances, in order

    Raises
    ------
    ConfigError
        If there are fewer than two entries, or not all are finite.
    """
    x = np.asarray(series, dtype=float)
    if x.ndim != 1 or len(x) < 2 or not np.isfinite(x).all():
        raise ConfigError(
            f"A mean with an interval needs two finite numbers in a row at least; "
            f"found a series of shape {x.shape} with "
            f"{int((~np.isfinite(x)).sum())} that are not finite. Run longer."
        )
    n, mean = len(x), float(x.mean())
    scale = float(np.abs(x - mean).max())
    if scale <= 1e-12 * abs(mean) or scale == 0:
        return CorrelatedMean(mean, mean, mean, 1.0, n)
    half, time = _half_width((x - mean) / scale)
    half *= scale
    if x.min() < 0:
        return CorrelatedMean(mean, mean - half, mean + half, time, n)
    factor = float(np.exp(min(half / mean, 700.0)))
    return CorrelatedMean(mean, mean / factor, mean * factor, time, n)


def _half_width(centred: Array) -> tuple[float, float]:
    """Return half the 95 % interval of the mean, and the correlation time."""
    from scipy import fft, optimize, stats

    n = len(centred)
    power = np.square(fft.dct(centred, type=2, norm="ortho")[1:])
    edges = np.unique(
        np.concatenate([np.arange(1, _N_SINGLE), np.geomspace(_N_SINGLE, n, _N_GROUPS)])
        .round()
        .astype(int)
    )
    edges = np.append(edges[edges < n], n)
    first, size = edges[:-1] - 1, np.diff(edges)
    grouped = np.add.reduceat(power, first)

    times = np.geomspace(_SHORTEST_TIME, n, _N_TIMES)[:, None]
    a = np.exp(-1.0 / times)
    cosine = np.cos(np.pi * np.arange(1, n) / n)
    slow = (1 - a * a) / (1 - 2 * a * cosine + a * a)
    slow = np.add.reduceat(slow, first, axis=1) / size
    share = _SLOW_SHARES
    shape = share[:, None] * slow[:, None, :] + (1 - share)[:, None]
    # the likelihood at the best scale q, which is known to a chi-squared of n - 1
    q = (grouped / shape).sum(axis=-1) / (n - 1)
    log_law = -0.5 * (
        (size * np.log(shape)).sum(axis=-1) + (n - 1) * np.log(q) + np.log(times)
    )
    law = np.exp(log_law - log_law.max())
    law /= law.sum()

    # variance of the mean of n entries of the slow part, whose memory may exceed n
    memory = (1 + a) / (1 - a) - 2 * a * (1 - a**n) / (n * (1 - a) ** 2)
    variance = q * (share * memory + 1 - share) / n
    spread = np.sqrt(variance).ravel()
    weight = law.ravel()

    def beyond(half: float) -> float:
        return float(weight @ stats.t.sf(half / spread, n - 1)) - 0.025

    high = 2.0 * float(spread.max()) * float(stats.t.isf(0.025, n - 1))
    half = float(optimize.brentq(beyond, 0.0, high))
    integrated = share * (1 + a) / (1 - a) + 1 - share
    return half, float(max(1.0, np.exp((law * np.log(integrated)).sum())))
