"""Advance one block of segments on a worker and write its shard."""

import logging
import time
from pathlib import Path

import numpy as np

from apps.science.errors import NumericalError, ShapeMismatchError
from apps.science.propagators.base import Frames, Propagator, States
from apps.science.seeds import derive_seed
from apps.science.we.shards import Origin, read_origins, write_shard
from apps.science.we.spec import warm_engine

log = logging.getLogger(__name__)

MAX_ATTEMPTS = 2
"""A segment with NaN or runaway energy is reseeded and rerun once."""


def propagate_block(
    spec_path: Path,
    n_iter: int,
    seg_ids: list[int],
    parent_ids: list[int],
    origins: list[Origin],
    out: Path,
) -> Path:
    """Advance the segments ``seg_ids`` by one iteration and write ``out``.

    Safe to run twice: an existing shard is returned as it is.

    Raises
    ------
    NumericalError
        If a segment fails twice; the message tells its story.
    """
    if out.exists():
        return out
    began = time.perf_counter()
    spec, propagator, pcoord = warm_engine(spec_path)
    states = read_origins(origins, spec.start_states())
    frames, attempts = _advance(
        propagator, states, spec.seed, n_iter, seg_ids, origins, spec.keep_failed
    )
    n_segments, n_frames = frames.positions.shape[:2]
    seen = np.array(frames.positions)
    seen[frames.failed] = propagator.recorded(states)[frames.failed, None]
    flat = seen.reshape(n_segments * n_frames, -1, 3)
    values = np.asarray(pcoord.compute(flat), dtype=float)
    if values.shape != (len(flat), pcoord.n_dim) or not np.isfinite(values).all():
        raise ShapeMismatchError(
            f"The progress coordinate {spec.pcoord['kind']!r} returned shape "
            f"{values.shape} (finite: {bool(np.isfinite(values).all())}); expected "
            f"{(len(flat), pcoord.n_dim)} finite numbers. Mend that plug-in."
        )
    seconds = time.perf_counter() - began
    visited = values.reshape(n_segments, n_frames, pcoord.n_dim)
    return write_shard(
        out, n_iter, seg_ids, parent_ids, attempts, visited, frames, seconds
    )


def _advance(
    propagator: Propagator,
    states: States,
    seed: int,
    n_iter: int,
    seg_ids: list[int],
    origins: list[Origin],
    keep_failed: bool,
) -> tuple[Frames, list[int]]:
    """Propagate, reseeding and rerunning what failed; keep or refuse the rest."""
    attempts = [0] * len(seg_ids)
    frames = propagator.propagate(
        states, [derive_seed(seed, "segment", n_iter, s, 0) for s in seg_ids]
    )
    for attempt in range(1, MAX_ATTEMPTS + 1):
        rows = [int(row) for row in np.flatnonzero(frames.failed)]
        if not rows:
            return frames, attempts
        if attempt == MAX_ATTEMPTS and keep_failed:
            return _stand_still(frames, states), attempts
        if attempt == MAX_ATTEMPTS:
            seg_id, origin = seg_ids[rows[0]], origins[rows[0]]
            source = f"row {origin.row} of {origin.shard or 'starts.npz'}"
            raise NumericalError(
                f"Segment {seg_id} of iteration {n_iter} ran away (NaN or energy "
                f"beyond its bound) in {MAX_ATTEMPTS} attempts with different seeds. "
                f"It starts from {source}. Use a smaller time step, or look at that "
                "structure."
            )
        for row in rows:
            attempts[row] = attempt
            log.warning("segment %d of %d failed; reseeding", seg_ids[row], n_iter)
        again = propagator.propagate(
            states.take(rows),
            [derive_seed(seed, "segment", n_iter, seg_ids[r], attempt) for r in rows],
        )
        frames = _replace_rows(frames, rows, again)
    return frames, attempts


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
