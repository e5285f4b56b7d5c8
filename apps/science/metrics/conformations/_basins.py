"""How many basins a set of values has: maxima of its density with a barrier between."""

import itertools

import numpy as np

from apps.science.arrays import Array
from apps.science.statistics import shared_edges, weighted_histogram

N_BINS = 60
SMOOTHING_BINS = 2.0
BARRIER_KT = 1.0
"""A valley shallower than this below the lower of its maxima parts nothing."""

MIN_SHARE = 0.01
"""A basin with less of the weight than this is a tail."""


def find_valleys(values: Array, weight: Array) -> Array:
    """Return where basins meet, (n_basins - 1,), in the unit of ``values`` (n,).

    The density is a weighted histogram over the 0.05 to 99.95 % range, smoothed by a
    Gaussian of two bins. Maxima are joined, the lowest barrier first, until every
    barrier is at least 1 kT and every basin holds at least 1 % of the weight.
    """
    from scipy.ndimage import gaussian_filter1d

    edges = shared_edges(values, weight, N_BINS)
    masses = weighted_histogram(values, weight, edges)[1:-1]
    smooth = gaussian_filter1d(masses, SMOOTHING_BINS, mode="constant")
    padded = np.concatenate([[-1.0], smooth, [-1.0]])
    peaks = np.flatnonzero((smooth > padded[:-2]) & (smooth >= padded[2:]))
    cuts = [
        low + int(smooth[low : high + 1].argmin())
        for low, high in itertools.pairwise(peaks)
    ]
    tops = list(smooth[peaks])
    while cuts:
        heights = [
            np.log(min(tops[k], tops[k + 1]) / max(smooth[c], 1e-300))
            for k, c in enumerate(cuts)
        ]
        starts = np.array([0, *(c + 1 for c in cuts)], dtype=int)
        shares = np.add.reduceat(masses, starts)
        thin = int(np.argmin(shares))
        if shares[thin] < MIN_SHARE * masses.sum():
            lost = min(thin, len(cuts) - 1)
            if 0 < thin <= len(cuts) - 1 and heights[thin - 1] < heights[thin]:
                lost = thin - 1
        elif min(heights) < BARRIER_KT:
            lost = int(np.argmin(heights))
        else:
            break
        tops[lost : lost + 2] = [max(tops[lost : lost + 2])]
        del cuts[lost]
    middles = 0.5 * (edges[:-1] + edges[1:])
    return np.asarray(middles[cuts], dtype=float)


def say_crossings(there: int, back: int) -> str:
    """Return how often a process changed basin, after its subject."""
    if not there and not back:
        return "never changes basin"
    return f"changes basin {there} times one way and {back} the other"
