"""One HDF5 file per block of segments, written once by the worker, never changed.

Datasets: seg_id, parent_id, attempt (n_segments,); pcoord (n_segments, n_frames,
n_dim); positions and forces (n_segments, n_frames, n_recorded, 3) float32;
final_positions and final_velocities (n_segments, n_particles, 3) float32 and
final_box. A shard that exists is whole: it is renamed into place when complete, so
it doubles as the journal of finished segments.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np

from apps.science.arrays import Array
from apps.science.files import atomic_path
from apps.science.hdf5 import open_checked
from apps.science.propagators.base import Frames, States

SCHEMA = "weft-shard-1"


@dataclass(frozen=True)
class Origin:
    """Where a segment starts: a row of a shard, or of starts.npz (shard None)."""

    shard: str | None
    row: int


@dataclass(frozen=True)
class Finished:
    """A finished segment: where it lies and the progress coordinates it visited."""

    seg_id: int
    parent_id: int
    shard: str
    row: int
    pcoord: Array
    seconds: float


def shard_path(shards: Path, n_iter: int, first_seg_id: int) -> Path:
    """Return the path of the block that begins with ``first_seg_id``."""
    return shards / f"{n_iter:06d}" / f"seg_{first_seg_id:06d}.h5"


def write_shard(
    path: Path,
    n_iter: int,
    seg_ids: list[int],
    parent_ids: list[int],
    attempts: list[int],
    pcoord: Array,
    frames: Frames,
    seconds: float,
) -> Path:
    """Write one block; it appears at ``path`` whole or not at all."""
    with atomic_path(path) as temporary, h5py.File(temporary, "w") as h5:
        h5.attrs.update({"schema": SCHEMA, "n_iter": n_iter, "seconds": seconds})
        h5["seg_id"] = np.asarray(seg_ids, dtype="i8")
        h5["parent_id"] = np.asarray(parent_ids, dtype="i8")
        h5["attempt"] = np.asarray(attempts, dtype="i2")
        h5["pcoord"] = np.asarray(pcoord, dtype="f8")
        h5["positions"] = np.asarray(frames.positions, dtype="f4")
        h5["forces"] = np.asarray(frames.forces, dtype="f4")
        h5["final_positions"] = np.asarray(frames.final.positions, dtype="f4")
        h5["final_velocities"] = np.asarray(frames.final.velocities, dtype="f4")
        if frames.final.box is not None:
            h5["final_box"] = np.asarray(frames.final.box, dtype="f4")
    return path


def open_shard(path: Path) -> h5py.File:
    """Open a shard for reading.

    Raises
    ------
    DataError
        If it is missing or not a shard of this version.
    """
    return open_checked(
        path,
        SCHEMA,
        "Without this shard its segments can be neither continued nor ingested: "
        "restore it from a copy, or delete the iterations from it on.",
    )


def read_origins(origins: list[Origin], starts: States) -> States:
    """Return the restart states that ``origins`` name, in order.

    Each shard is opened once, however many of its segments are continued.
    """
    positions: list[Array] = [starts.positions[0]] * len(origins)
    velocities: list[Array] = [starts.velocities[0]] * len(origins)
    boxes: list[Array | None] = [None] * len(origins)
    rows_of: dict[str | None, list[int]] = {}
    for i, origin in enumerate(origins):
        rows_of.setdefault(origin.shard, []).append(i)
    for shard, places in rows_of.items():
        source = starts if shard is None else read_final(Path(shard))
        for i in places:
            row = origins[i].row
            positions[i] = source.positions[row]
            velocities[i] = source.velocities[row]
            boxes[i] = None if source.box is None else source.box[row]
    box = None if boxes[0] is None else np.asarray(boxes, dtype=float)
    return States(
        np.asarray(positions, dtype=float), np.asarray(velocities, dtype=float), box
    )


def read_final(path: Path) -> States:
    """Return where every segment of a shard ended."""
    with open_shard(path) as h5:
        box = h5["final_box"][:] if "final_box" in h5 else None
        return States(h5["final_positions"][:], h5["final_velocities"][:], box)


def finished_in(path: Path) -> list[Finished]:
    """List the finished segments of one shard."""
    with open_shard(path) as h5:
        rows = zip(h5["seg_id"][:], h5["parent_id"][:], h5["pcoord"][:], strict=True)
        each = float(h5.attrs["seconds"]) / max(1, len(h5["seg_id"]))
        return [
            Finished(int(seg_id), int(parent), str(path), row, pcoord, each)
            for row, (seg_id, parent, pcoord) in enumerate(rows)
        ]


def find_finished(shards: Path, n_iter: int) -> Iterator[Finished]:
    """Yield every finished segment of an iteration that lies on disk."""
    for path in sorted((shards / f"{n_iter:06d}").glob("seg_*.h5")):
        yield from finished_in(path)
