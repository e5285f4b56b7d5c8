"""What a WE run of a model left: its frames, and what arrived at its targets."""

import json
import math
from pathlib import Path

import numpy as np
import yaml

from apps.science.arrays import Array, IntArray
from apps.science.errors import DataError
from apps.science.metrics.conformations.base import Passage, ProjectsFrames
from apps.science.resampling import MIN_BLOCKS
from apps.science.segments.frames import WeightedFrames
from apps.science.segments.store import open_store
from apps.science.statistics import effective_sample_size

N_ITERATION_BLOCKS = 20


class _PlainLoader(yaml.SafeLoader):
    """Reads west.cfg without running what its Python tags name."""


_PlainLoader.add_multi_constructor(
    "tag:yaml.org,2002:python/", lambda _loader, suffix, _node: suffix
)


def model_frames(
    segments: Path,
    tau_ps: float,
    frame_interval_ps: float,
    burn_in_fraction: float = 0.0,
) -> WeightedFrames:
    """Return the frames of a CG-WE run, pooled over iterations with their raw weights.

    Each segment is a trajectory that continues its parent.

    Every iteration's weights sum to one, so each counts the same. The lineage of a
    frame is its ancestor in iteration 1. Late in a long run few ancestors have
    descendants left; where those that remain are worth fewer than 8 equal ones, the
    lineage is instead one of 20 blocks of successive iterations, which are nearly
    independent when the run is longer than its memory.

    Parameters
    ----------
    segments : segments.h5 of the run
    tau_ps, frame_interval_ps : length of a segment, and between its saved frames
    burn_in_fraction : share of the iterations left out at the start
    """
    with open_store(segments) as h5:
        n_iter = h5["n_iter"][:]
        if not len(n_iter):
            raise DataError(f"{segments} is empty. Ingest the run first.")
        # rows are ordered by iteration, so what is kept is one slice
        last = int(n_iter.max())
        first = int(np.searchsorted(n_iter, 1 + int(burn_in_fraction * last)))
        rows = slice(first, len(n_iter))
        n_iter = n_iter[rows].astype(np.int64)
        positions, weight = h5["positions"][rows], h5["weight"][rows]
        seg_id, frame, root, parent = (
            h5[name][rows].astype(np.int64)
            for name in ("seg_id", "frame", "root", "parent")
        )
    width = int(max(seg_id.max(), parent.max())) + 1
    begun = (parent < 0) | (n_iter == 1)  # at a start, or sent back to one
    return WeightedFrames(
        positions=positions,
        weight=weight,
        lineage=choose_lineage(root, n_iter, weight),
        trajectory=n_iter * width + seg_id,
        time_ps=(n_iter - 1) * tau_ps + (frame.astype(float) + 1) * frame_interval_ps,
        continues=np.where(begun, -1, (n_iter - 1) * width + parent),
    )


def choose_lineage(root: IntArray, n_iter: IntArray, weight: Array) -> IntArray:
    """Return ``root``, or blocks of iterations where too few roots are left."""
    _, index = np.unique(root, return_inverse=True)
    if effective_sample_size(np.bincount(index, weight).astype(float)) >= MIN_BLOCKS:
        return root
    since = n_iter - n_iter.min()
    n_blocks = min(N_ITERATION_BLOCKS, int(since.max()) + 1)
    return np.asarray(since * n_blocks // (int(since.max()) + 1))


def read_passage(
    folder: Path, tica: ProjectsFrames, tau_ps: float, burn_in_fraction: float
) -> Passage | None:
    """Return what arrived at the target regions of a run; None where it has none.

    Parameters
    ----------
    folder : of the run: west.cfg, west.h5, starts.npz
    tica : the coordinate that the regions are in
    """
    from apps.science.we.kinetics import read_flux

    config = folder / "west.cfg"
    if not config.is_file():
        return None
    asked = yaml.load(config.read_text(encoding="utf-8"), Loader=_PlainLoader)
    bins = asked["west"]["system"]["system_options"]["bins"]
    regions = bins.get("base", {}).get("regions") if isinstance(bins, dict) else None
    if not regions:
        return None
    flux = read_flux(folder / "west.h5")
    with np.load(folder / "starts.npz") as arrays:
        starts = tica.project(arrays["positions"])
    return Passage(
        flux=np.asarray(flux[math.floor(burn_in_fraction * len(flux)) :]),
        tau_ps=tau_ps,
        regions=tuple(
            tuple((float(low), float(high)) for low, high in region)
            for region in regions
        ),
        starts=np.asarray(starts),
    )


def read_temperature(folder: Path) -> float | None:
    """Return the temperature that a run's propagator keeps, None where none is said."""
    path = folder / "propagation.json"
    if not path.is_file():
        return None
    propagator = json.loads(path.read_text(encoding="utf-8"))["propagator"]
    found = propagator.get("temperature_kelvin")
    return None if found is None else float(found)
