"""Blocks long enough to be independent: neighbours that correlate are joined."""

from dataclasses import replace

import numpy as np

from apps.science.arrays import Array
from apps.science.metrics.conformations.base import WeightedSet
from apps.science.resampling import MIN_BLOCKS

MAX_CORRELATION = 0.2


def join_correlated(one: WeightedSet, values: Array) -> WeightedSet:
    """Return the set with blocks joined two by two until neighbours do not correlate.

    A bootstrap, and the floor, take blocks for independent. Stretches of one
    trajectory shorter than its memory are not: their intervals would be too narrow
    and the floor too low (the idea is Flyvbjerg and Petersen's, 1989). At least 8
    blocks stay. Sets whose blocks are no stretches of trajectories are left alone.

    Parameters
    ----------
    values : (n_frames,), the slowest quantity known
    """
    while one.n_blocks >= 2 * MIN_BLOCKS:
        joined = _join_once(one, values)
        if joined is None:
            return one
        one = joined
    return one


def _join_once(one: WeightedSet, values: Array) -> WeightedSet | None:
    if one.trajectory is None:
        return None
    owner = np.full(one.n_blocks, -1, dtype=np.int64)
    _, trajectory = np.unique(one.trajectory, return_inverse=True)
    owner[one.block] = trajectory.reshape(-1)
    if (owner[one.block] != trajectory.reshape(-1)).any():
        return None  # a block of several trajectories, as in a weighted ensemble
    weight = np.bincount(one.block, one.weight, minlength=one.n_blocks)
    if (weight <= 0).any():
        return None
    mean = np.bincount(one.block, one.weight * values, one.n_blocks) / weight
    time = np.bincount(one.block, one.time_ps, one.n_blocks).astype(float)
    time /= np.bincount(one.block, minlength=one.n_blocks)
    order = np.lexsort((time, owner))
    centred = (mean - np.average(mean, weights=weight))[order]
    beside = owner[order][1:] == owner[order][:-1]
    if beside.sum() < MIN_BLOCKS // 2 or not (centred**2).sum() > 0:
        return None
    products = (centred[1:] * centred[:-1])[beside].mean()
    if products / (centred**2).mean() <= MAX_CORRELATION:
        return None
    begins = np.concatenate([[True], ~beside])
    place = np.arange(one.n_blocks)
    first = np.maximum.accumulate(np.where(begins, place, 0))
    opens = (place - first) % 2 == 0  # every second block of a trajectory
    number = np.empty(one.n_blocks, dtype=np.int64)
    number[order] = np.cumsum(opens) - 1
    return replace(one, block=number[one.block], n_blocks=int(opens.sum()))
