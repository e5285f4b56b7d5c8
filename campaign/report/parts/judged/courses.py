"""The size of a model's structures against time, and what is usual in the reference."""

from dataclasses import dataclass

import numpy as np

from apps.science.arrays import Array, IntArray
from apps.science.metrics.conformations._geometry import (
    measure_distances,
    measure_gyration,
)
from apps.science.segments.frames import WeightedFrames

N_TIME_BINS = 25


@dataclass(frozen=True)
class Yardstick:
    """What is usual in the reference.

    Attributes
    ----------
    bonds : (n_bonds, 2)
    lengths : (n_bonds,), median bond lengths, Angstrom
    rg : 2.5, 50 and 97.5 % of the radius of gyration, Angstrom
    """

    bonds: IntArray
    lengths: Array
    rg: tuple[float, float, float]


def measure_reference(frames: WeightedFrames, bonds: IntArray) -> Yardstick:
    """Return bond lengths and sizes of the reference."""
    rg = measure_gyration(frames.positions)
    low, middle, high = np.percentile(rg, [2.5, 50, 97.5])
    lengths = np.median(measure_distances(frames.positions, bonds), axis=0)
    return Yardstick(bonds, lengths, (float(low), float(middle), float(high)))


def mean_size(frames: WeightedFrames) -> tuple[Array, Array]:
    """Return times (n,), ps, and the weighted mean radius of gyration (n,), Angstrom.

    Structures that are not finite are left out, and times at which none is.
    """
    finite = np.isfinite(frames.positions).all(axis=(1, 2))
    time, weight = frames.time_ps[finite], frames.weight[finite]
    if not len(time):
        return np.empty(0), np.empty(0)
    rg = measure_gyration(frames.positions[finite])
    n_bins = min(N_TIME_BINS, len(np.unique(time)))
    edges = np.linspace(time.min(), time.max(), n_bins + 1)
    index = np.clip(np.searchsorted(edges, time, "right") - 1, 0, n_bins - 1)
    total = np.bincount(index, weight, minlength=n_bins)
    summed = np.bincount(index, weight * rg, minlength=n_bins)
    held = total > 0
    return ((edges[1:] + edges[:-1]) / 2)[held], summed[held] / total[held]
