"""Frames as points in the space of the slow coordinates, and the basins there."""

import logging
from dataclasses import dataclass

import numpy as np

from apps.science.arrays import Array, IntArray
from apps.science.errors import WeftError
from apps.science.metrics.conformations._basins import find_valleys
from apps.science.pcoords.tica import read_tica
from apps.science.segments.frames import WeightedFrames
from campaign.report.parts.learnt_source import LearntSource

log = logging.getLogger(__name__)

MANY_WALKS = 40
"""With more trajectories than these (segments of WE), the walk is the lineage."""


@dataclass(frozen=True)
class Cloud:
    """Weighted frames in the space of the slow coordinates.

    Attributes
    ----------
    points : (n, n_dim), without unit (TICA components have unit variance)
    weights : (n,)
    walks : (n,), 0..n_walks-1: which walk, or lineage of WE, a frame is of
    """

    points: Array
    weights: Array
    walks: IntArray

    @property
    def n_dim(self) -> int:
        """Number of components."""
        return int(self.points.shape[1])


def read_clouds(source: LearntSource, models: list[str]) -> dict[str, Cloud]:
    """Return the reference and those models that have frames, by their name.

    Empty until the reference stage has fitted TICA with two components or more.
    Frames that are not finite or have no weight are left out.
    """
    frames = source.reference_frames()
    if frames is None or not source.paths.tica.exists():
        return {}
    try:
        tica = read_tica(source.paths.tica)
    except WeftError as error:
        log.warning("report: %s", error)
        return {}
    if tica.n_dim < 2:
        return {}
    sets: dict[str, WeightedFrames | None] = {"reference": frames}
    sets |= {model: source.model_frames(model) for model in models}
    clouds = {}
    for name, one in sets.items():
        if one is None or not len(one):
            continue
        points = tica.project(one.positions)
        whole = np.isfinite(points).all(axis=1) & (one.weight > 0)
        if whole.any():
            walks = name_walks(one)[whole]
            clouds[name] = Cloud(points[whole], one.weight[whole], walks)
    return clouds


def name_walks(frames: WeightedFrames) -> IntArray:
    """Return which walk each frame is of, (n_frames,), counted from zero."""
    walks = np.unique(frames.trajectory, return_inverse=True)[1]
    if walks.max() >= MANY_WALKS:
        walks = np.unique(frames.lineage, return_inverse=True)[1]
    return np.asarray(walks)


def read_native_point(source: LearntSource, native: Array | None) -> Array | None:
    """Return the native structure's place in the space of the TICs, (n_dim,)."""
    if native is None:
        return None
    point: Array = read_tica(source.paths.tica).project(native[None])[0]
    return point


@dataclass(frozen=True)
class Basins:
    """Boxes of a plane between the reference's valleys along its two axes.

    Attributes
    ----------
    valleys : of each axis, (n_valleys,)
    """

    valleys: tuple[Array, Array]

    @classmethod
    def of(cls, points: Array, weights: Array) -> "Basins":
        """Find the valleys of the reference's points (n, 2)."""
        return cls(
            (find_valleys(points[:, 0], weights), find_valleys(points[:, 1], weights))
        )

    def __len__(self) -> int:
        """Return the number of boxes."""
        return (len(self.valleys[0]) + 1) * (len(self.valleys[1]) + 1)

    def assign(self, points: Array) -> IntArray:
        """Return the box of each point (n, 2), (n,)."""
        first, second = (
            np.searchsorted(v, points[:, k]) for k, v in enumerate(self.valleys)
        )
        return np.asarray(first * (len(self.valleys[1]) + 1) + second)

    def shares(self, points: Array, weights: Array) -> Array:
        """Return the share of the weight in each box, (n_boxes,)."""
        found = np.bincount(self.assign(points), weights, minlength=len(self))
        return np.asarray(found / found.sum())
