"""Advance one block of segments on a worker and write its shard."""

import logging
import time
from pathlib import Path

import numpy as np

from apps.science.arrays import Array
from apps.science.errors import DataError, NumericalError, ShapeMismatchError
from apps.science.pcoords.base import ProgressCoordinate
from apps.science.propagators.base import Frames, Propagator, States
from apps.science.seeds import derive_seed
from apps.science.stopping import begin_only_if_it_ends
from apps.science.we.spec import PropagationSpec, warm_engine
from apps.science.we.storage.set_aside import move_damaged
from apps.science.we.storage.shards import (
    FinishedBlock,
    Origin,
    check_shard,
    read_block,
    read_origins,
    write_shard,
)

log = logging.getLogger(__name__)

LATE_BY = 1.2
"""A block may take so many times what the last one took."""

_PACE_S: dict[str, float] = {}
"""Seconds that a segment of a run took this process the last time."""


def propagate_block(
    spec_path: Path,
    n_iter: int,
    seg_ids: list[int],
    parent_ids: list[int],
    origins: list[Origin],
    out: Path,
) -> FinishedBlock:
    """Advance the segments ``seg_ids`` by one iteration and write ``out``.

    Safe to run twice: a whole shard is taken as it is.

    Raises
    ------
    BlockEndsError, BlockTooLongError
        If this batch job ends before the block would.
    NumericalError
        If a segment fails again after its reseeds; the message tells its story.
    ShapeMismatchError
        If the propagator or the progress coordinate returned something else.
    """
    if out.exists():
        try:
            check_shard(out)
            return read_block(out)
        except DataError as error:
            log.warning("%s", move_damaged(out, error))
    spec, propagator, pcoord = warm_engine(spec_path)
    n = len(seg_ids)
    needed_s = LATE_BY * n * _PACE_S.get(str(spec_path), 0.0)
    begin_only_if_it_ends(needed_s, f"A block of {n} segments", divisible=n > 1)
    began = time.perf_counter()
    states = read_origins(origins, spec.start_states())
    frames, attempts = _advance(propagator, states, spec, n_iter, seg_ids, origins)
    seen = np.array(frames.positions)
    seen[frames.failed] = propagator.recorded(states)[frames.failed, None]
    visited = _compute_pcoords(pcoord, spec.pcoord["kind"], seen)
    seconds = time.perf_counter() - began
    _PACE_S[str(spec_path)] = seconds / n
    return write_shard(
        out, n_iter, seg_ids, parent_ids, attempts, visited, frames, seconds, spec.seed
    )


def _compute_pcoords(pcoord: ProgressCoordinate, kind: str, seen: Array) -> Array:
    """Return (n_segments, n_frames, n_dim) of frames (n_segments, n_frames, n, 3)."""
    n_segments, n_frames = seen.shape[:2]
    flat = seen.reshape(n_segments * n_frames, -1, 3)
    values = np.asarray(pcoord.compute(flat), dtype=float)
    if values.shape != (len(flat), pcoord.n_dim) or not np.isfinite(values).all():
        raise ShapeMismatchError(
            f"The progress coordinate {kind!r} returned shape {values.shape} (finite: "
            f"{bool(np.isfinite(values).all())}); expected "
            f"{(len(flat), pcoord.n_dim)} finite numbers. Mend that plug-in."
        )
    return values.reshape(n_segments, n_frames, pcoord.n_dim)


def _advance(
    propagator: Propagator,
    states: States,
    spec: PropagationSpec,
    n_iter: int,
    seg_ids: list[int],
    origins: list[Origin],
) -> tuple[Frames, list[int]]:
    """Propagate, reseeding and rerunning what failed; keep or refuse the rest."""
    attempts = [0] * len(seg_ids)
    frames = _propagate(propagator, states, spec, n_iter, seg_ids, 0)
    for attempt in range(1, spec.n_reseeds + 1):
        rows = [int(row) for row in np.flatnonzero(frames.failed)]
        if not rows:
            return frames, attempts
        for row in rows:
            attempts[row] = attempt
            log.warning("segment %d of %d failed; reseeding", seg_ids[row], n_iter)
        chosen = [seg_ids[row] for row in rows]
        again = _propagate(propagator, states.take(rows), spec, n_iter, chosen, attempt)
        frames = _replace_rows(frames, rows, again)
    if not frames.failed.any():
        return frames, attempts
    if spec.keep_failed:
        return _stand_still(frames, states), attempts
    row = int(np.flatnonzero(frames.failed)[0])
    source = f"row {origins[row].row} of {origins[row].shard or 'starts.npz'}"
    finite = np.isfinite(frames.positions[row]).all(axis=(1, 2))
    raise NumericalError(
        f"Segment {seg_ids[row]} of iteration {n_iter} ran away (NaN or energy "
        f"beyond its bound) in {spec.n_reseeds + 1} attempts with different seeds; "
        f"in the last one {int(finite.sum())} of {len(finite)} frames were finite. "
        f"It starts from {source}. Use a smaller time step, or look at that "
        "structure."
    )


def _propagate(
    propagator: Propagator,
    states: States,
    spec: PropagationSpec,
    n_iter: int,
    seg_ids: list[int],
    attempt: int,
) -> Frames:
    """Propagate once; check that all frames came back."""
    seeds = [derive_seed(spec.seed, "segment", n_iter, s, attempt) for s in seg_ids]
    frames = propagator.propagate(states, seeds)
    expected = (len(seg_ids), spec.n_frames)
    found = frames.positions.shape[:2]
    if found != expected or frames.forces.shape != frames.positions.shape:
        raise ShapeMismatchError(
            f"The propagator {spec.propagator['kind']!r} returned positions of shape "
            f"{frames.positions.shape} and forces of {frames.forces.shape}; expected "
            f"{expected[0]} segments of {expected[1]} frames in both. Mend that "
            "plug-in, or n_steps and n_steps_per_frame."
        )
    # what a propagator overlooks must not become somebody's parent
    ends = frames.final
    whole = np.isfinite(ends.positions).all(axis=(1, 2))
    whole &= np.isfinite(ends.velocities).all(axis=(1, 2))
    whole &= np.isfinite(frames.positions).all(axis=(1, 2, 3))
    failed = np.asarray(frames.failed, dtype=bool) | ~whole
    return Frames(frames.positions, frames.forces, ends, failed)


def _stand_still(frames: Frames, states: States) -> Frames:
    """Return ``frames`` with failed segments all NaN and back where they began."""
    positions, forces = np.array(frames.positions), np.array(frames.forces)
    positions[frames.failed] = forces[frames.failed] = np.nan
    final = frames.final
    ends, speeds = np.array(final.positions), np.array(final.velocities)
    ends[frames.failed] = states.positions[frames.failed]
    speeds[frames.failed] = states.velocities[frames.failed]
    there = States(ends, speeds, final.box)
    return Frames(positions, forces, there, frames.failed)


def _replace_rows(frames: Frames, rows: list[int], again: Frames) -> Frames:
    """Return ``frames`` with ``rows`` taken from ``again``."""
    final, new = frames.final, again.final
    box = None
    if final.box is not None and new.box is not None:
        box = final.box.copy()
        box[rows] = new.box
    merged = {
        "positions": (frames.positions, again.positions),
        "forces": (frames.forces, again.forces),
        "failed": (frames.failed, again.failed),
        "final_positions": (final.positions, new.positions),
        "final_velocities": (final.velocities, new.velocities),
    }
    out = {}
    for name, (old, fresh) in merged.items():
        out[name] = np.array(old)
        out[name][rows] = fresh
    states = States(out["final_positions"], out["final_velocities"], box)
    return Frames(out["positions"], out["forces"], states, out["failed"])


def compute_start_pcoords(spec_path: Path) -> list[list[float]]:
    """Return the progress coordinate of every starting state, (n_starts, n_dim)."""
    spec, propagator, pcoord = warm_engine(spec_path)
    recorded = propagator.recorded(spec.start_states())
    return [[float(x) for x in row] for row in pcoord.compute(recorded)]
