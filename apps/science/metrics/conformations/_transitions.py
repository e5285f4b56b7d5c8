"""Transitions at a lag: which frame follows which, weighted, between clusters.

In a weighted ensemble a walker's past is its ancestors', so a pair may span several
segments. It has the weight of its later frame: the weights of all descendants of a
walker add up to its own, so the pairs stand for the joint law of both times. In plain
or reweighted trajectories a pair has the weight of its earlier frame.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from apps.science.arrays import Array, IntArray
from apps.science.metrics.conformations.base import WeightedSet
from apps.science.units import count_whole


@dataclass(frozen=True)
class Pairs:
    """Frames a lag apart, (n_pairs,) each.

    Attributes
    ----------
    first, second : rows of the set
    weight : of each pair
    apart : true for pairs that begin at whole lags, which do not overlap
    """

    first: IntArray
    second: IntArray
    weight: Array
    apart: NDArray[np.bool_]

    def count_crossings(self, side: NDArray[np.bool_]) -> tuple[int, int]:
        """Return how often ``side`` (n_frames,) becomes true, and how often false.

        Pairs that overlap would count a crossing many times, and so would the
        descendants of the walker that crossed.
        """
        first, second = self.first[self.apart], self.second[self.apart]
        there, back = ~side[first] & side[second], side[first] & ~side[second]
        return len(np.unique(first[there])), len(np.unique(first[back]))


def find_interval(one: WeightedSet) -> float | None:
    """Return the time between frames, ps; None where no frame follows another."""
    if one.trajectory is None or len(one.time_ps) < 2:
        return None
    order = np.lexsort((one.time_ps, one.trajectory))
    steps = np.diff(one.time_ps[order])
    inside = np.diff(one.trajectory[order]) == 0
    if not inside.any():  # one frame a segment
        steps = np.diff(np.unique(one.time_ps))
        inside = np.ones(len(steps), dtype=bool)
    positive = steps[inside & (steps > 0)]
    return float(positive.min()) if len(positive) else None


def pair_frames(one: WeightedSet, lag_ps: float) -> Pairs | str:
    """Return the pairs of frames ``lag_ps`` apart, or why there are none."""
    interval = find_interval(one)
    if interval is None or one.trajectory is None:
        return "it is not known which frame follows which"
    n_lag = count_whole(lag_ps, interval)
    if n_lag is None:
        return (
            f"the lag of {lag_ps:g} ps is no whole number of frames of {interval:g} ps"
        )
    step = np.round(one.time_ps / interval).astype(np.int64)
    step -= step.min()
    names, trajectory = np.unique(one.trajectory, return_inverse=True)
    trajectory = trajectory.reshape(-1)
    parent = np.full(len(names), -1, dtype=np.int64)
    if one.continues is not None:
        place = np.clip(np.searchsorted(names, one.continues), 0, len(names) - 1)
        parent[trajectory] = np.where(names[place] == one.continues, place, -1)
    begin = np.full(len(names), np.iinfo(np.int64).max)
    np.minimum.at(begin, trajectory, step)
    wanted, holder = step - n_lag, trajectory.copy()
    while True:
        up = (wanted < begin[holder]) & (parent[holder] >= 0)
        if not up.any():
            break
        holder[up] = parent[holder[up]]
    width = int(step.max()) + 1
    key = trajectory * width + step
    order = np.argsort(key, kind="stable")
    target = np.where(wanted >= 0, holder * width + wanted, -1)
    found = order[np.clip(np.searchsorted(key[order], target), 0, len(key) - 1)]
    second = np.flatnonzero((key[found] == target) & (target >= 0))
    if not len(second):
        return f"no trajectory is longer than the lag of {lag_ps:g} ps"
    first = found[second]
    branched = bool((parent >= 0).any())
    weight = one.weight[second if branched else first]
    return Pairs(first, second, weight, step[first] % n_lag == 0)


def count_transitions(
    one: WeightedSet, pairs: Pairs, state: IntArray, n_states: int
) -> Array:
    """Return weighted counts by block of the first frame, (n_blocks, n_states^2).

    Parameters
    ----------
    state : (n_frames,), 0..n_states-1; -1 for frames to leave out
    """
    kept = (state[pairs.first] >= 0) & (state[pairs.second] >= 0)
    first, second = pairs.first[kept], pairs.second[kept]
    column = state[first] * n_states + state[second]
    flat = one.block[first] * n_states**2 + column
    counts = np.bincount(flat, pairs.weight[kept], minlength=one.n_blocks * n_states**2)
    return np.asarray(counts.reshape(one.n_blocks, n_states**2))


def estimate_matrix(counts: Array) -> tuple[Array, IntArray]:
    """Return a reversible transition matrix (n, n) and the states it is of, (n,).

    The states are the largest set that is connected both ways. The estimate is
    deeptime's, by detailed balance of the stationary law of the plain estimate.
    """
    from deeptime.markov.tools.estimation import transition_matrix
    from scipy.sparse.csgraph import connected_components

    _, part = connected_components(counts > 0, connection="strong")
    share = np.bincount(part, counts.sum(axis=1))
    states = np.flatnonzero(part == share.argmax())
    kept = counts[np.ix_(states, states)]
    if len(states) < 2:
        return np.ones((1, 1)), states
    matrix = transition_matrix(kept / kept.sum(), reversible=True, rev_pisym=True)
    return np.asarray(matrix), states


def implied_timescales(counts: Array, lag_ps: float, n_wanted: int) -> Array:
    """Return the slowest relaxation times, ps, (n_wanted,); NaN where there are fewer.

    Parameters
    ----------
    counts : (n_states, n_states), weighted transitions
    """
    found = np.full(n_wanted, np.nan)
    matrix, _ = estimate_matrix(counts)
    size = np.sort(np.abs(np.linalg.eigvals(matrix)))[::-1][1 : n_wanted + 1]
    with np.errstate(divide="ignore"):
        found[: len(size)] = -lag_ps / np.log(np.clip(size, 1e-300, 1 - 1e-12))
    return found


def first_passage_time(counts: Array, lag_ps: float, start: Array) -> float:
    """Return the mean time, ps, until the last state is reached; inf where it is not.

    Parameters
    ----------
    counts : (n_states, n_states), weighted transitions
    start : (n_states,), the law of the beginning
    """
    matrix, states = estimate_matrix(counts)
    target = len(counts) - 1
    law = start[states]
    if target not in states or len(states) < 2 or law[:-1].sum() <= 0:
        return float("inf")
    n = len(states) - 1
    times = np.linalg.solve(np.eye(n) - matrix[:n, :n], np.full(n, lag_ps))
    return float(law[:n] @ times / law[:n].sum())


def find_centres(plane: Array, seed: int, n_wanted: int) -> Array:
    """Return k-means centres (n, n_dim) of points (n_frames, n_dim)."""
    import warnings

    from sklearn.cluster import KMeans
    from sklearn.exceptions import ConvergenceWarning

    seen = plane[:: max(1, len(plane) // 10_000)]
    distinct = np.unique(seen, axis=0)
    if len(distinct) <= n_wanted:
        return distinct
    means = KMeans(n_wanted, n_init=1, random_state=seed % 2**32, max_iter=50)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return np.asarray(means.fit(seen).cluster_centers_)


def assign_centres(plane: Array, centres: Array) -> IntArray:
    """Return the nearest centre of each point, (n_frames,)."""
    from scipy.spatial import cKDTree

    return np.asarray(cKDTree(centres).query(plane)[1])
