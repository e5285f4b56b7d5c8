"""One HDF5 file per block of segments, written once by the worker, never changed.

Datasets: seg_id, parent_id, attempt (n_segments,); pcoord (n_segments, n_frames,
n_dim); positions and forces (n_segments, n_frames, n_recorded, 3) float32;
final_positions and final_velocities (n_segments, n_particles, 3) float32 and
final_box. Attributes: schema, n_iter, seed (the run's), seconds, digest (sha256 of
the datasets), final_digest (of the end points alone). A shard that exists is whole: it
is renamed into place when complete, so it doubles as the journal of finished segments.
"""

import hashlib
import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np

from apps.science.arrays import Array
from apps.science.errors import DataError
from apps.science.hdf5 import DAMAGES, atomic_hdf5, open_checked
from apps.science.propagators.base import Frames, States
from apps.science.we.storage.set_aside import REMEDY, REMEDY_MISSING, move_damaged

log = logging.getLogger(__name__)

SCHEMA = "weft-shard-2"
DATASETS = {
    "seg_id": "i8", "parent_id": "i8", "attempt": "i2", "pcoord": "f8",
    "positions": "f4", "forces": "f4", "final_positions": "f4",
    "final_velocities": "f4", "final_box": "f4",
}  # fmt: skip
FINAL = ("final_positions", "final_velocities", "final_box")
FINAL_DIGEST = "final_digest"
"""Attribute: the digest of these alone, which children read."""


@dataclass(frozen=True)
class Origin:
    """Where a segment starts: a row of a shard, or of starts.npz (shard None)."""

    shard: str | None
    row: int


@dataclass(frozen=True)
class FinishedBlock:
    """A finished block: what the driver needs of it, so that no shard crosses over.

    Attributes
    ----------
    path : its shard; segment ``seg_ids[k]`` is row k
    pcoord : (n_segments, n_frames, n_dim)
    seconds : wall time on the worker
    digest : sha256 of the datasets
    """

    n_iter: int
    seg_ids: list[int]
    parent_ids: list[int]
    path: str
    pcoord: Array
    seconds: float
    digest: str


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
    seed: int = 0,
) -> FinishedBlock:
    """Write one block; it appears at ``path`` whole or not at all."""
    given = {
        "seg_id": seg_ids, "parent_id": parent_ids, "attempt": attempts,
        "pcoord": pcoord, "positions": frames.positions, "forces": frames.forces,
        "final_positions": frames.final.positions,
        "final_velocities": frames.final.velocities, "final_box": frames.final.box,
    }  # fmt: skip
    held = {
        name: np.ascontiguousarray(values, dtype=DATASETS[name])
        for name, values in given.items()
        if values is not None
    }
    digest = digest_datasets(held)
    with atomic_hdf5(path) as h5:
        h5.attrs["schema"] = SCHEMA
        h5.attrs["n_iter"] = n_iter
        # 63 bits of the run's seed; every segment's follows from it
        h5.attrs["seed"] = seed
        h5.attrs["seconds"] = seconds
        h5.attrs["digest"] = digest
        ends = {name: held[name] for name in FINAL if name in held}
        h5.attrs[FINAL_DIGEST] = digest_datasets(ends)
        for name, values in held.items():
            h5[name] = values
    return FinishedBlock(
        n_iter, seg_ids, parent_ids, str(path), held["pcoord"], seconds, digest
    )


def open_shard(path: Path) -> h5py.File:
    """Open a shard for reading.

    Raises
    ------
    DataError
        If it is missing or not a shard of this version.
    """
    if not path.is_file():
        raise DataError(
            f"{path} does not exist. Without this shard its segments can be neither "
            f"continued nor ingested. {REMEDY_MISSING}"
        )
    return open_checked(path, SCHEMA, REMEDY)


@contextmanager
def _reading(path: Path) -> Iterator[h5py.File]:
    """Open a shard; what HDF5 says of a damaged one becomes a DataError."""
    with open_shard(path) as h5:
        try:
            yield h5
        except DAMAGES as error:
            message = f"The shard {path} is damaged ({error}). {REMEDY}"
            raise DataError(message) from None


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
    """Return where every segment of a shard ended.

    Raises
    ------
    DataError
        If that is not what was written. The shard is moved to ``set_aside/``.
    """
    try:
        with _reading(path) as h5:
            held = {name: h5[name][:] for name in FINAL if name in h5}
            expected = str(h5.attrs.get(FINAL_DIGEST, ""))
        if not expected:  # of an older version
            check_shard(path)
        elif digest_datasets(held) != expected:
            raise _altered(path, digest_datasets(held), expected)
        positions, velocities = held["final_positions"], held["final_velocities"]
    except DataError as error:
        raise move_damaged(path, error) from None
    return States(positions, velocities, held.get("final_box"))


def read_block(path: Path) -> FinishedBlock:
    """Read what the driver needs of a shard, without its frames.

    Raises
    ------
    DataError
        If it is missing, damaged, or of another schema.
    """
    with _reading(path) as h5:
        attributes = h5.attrs
        return FinishedBlock(
            int(attributes["n_iter"]),
            h5["seg_id"][:].tolist(),
            h5["parent_id"][:].tolist(),
            str(path),
            h5["pcoord"][:],
            float(attributes["seconds"]),
            str(attributes["digest"]),
        )


def check_shard(path: Path, expected: str | None = None) -> str:
    """Compare a shard's data with its digest; return the digest.

    Parameters
    ----------
    expected : the digest that its iteration's record holds; None takes its own

    Raises
    ------
    DataError
        If it is missing, damaged, or was altered.
    """
    with _reading(path) as h5:
        found = digest_datasets({name: h5[name][:] for name in DATASETS if name in h5})
        expected = expected or str(h5.attrs["digest"])
    if found != expected:
        raise _altered(path, found, expected)
    return found


def _altered(path: Path, found: str, expected: str) -> DataError:
    return DataError(
        f"The shard {path} was altered: its data have the sha256 {found[:12]}, but "
        f"{expected[:12]} was recorded when it was written. {REMEDY}"
    )


def check_seed(path: Path, seed: int) -> None:
    """Refuse a shard of a run with another seed.

    Raises
    ------
    DataError
    """
    with _reading(path) as h5:
        its_seed = int(h5.attrs["seed"])
    if its_seed != seed:
        raise DataError(
            f"The shard {path} was made with the seed {its_seed}, this run has {seed}. "
            "Do not mix run folders: give this run one of its own."
        )


def find_finished(
    shards: Path, n_iter: int, seed: int, digests: Mapping[str, str] | None = None
) -> Iterator[FinishedBlock]:
    """Yield every whole block of an iteration that lies on disk.

    One whose data are not as they were written is moved to ``set_aside/``, to be
    propagated again.

    Parameters
    ----------
    digests : of a closed iteration, what its record says of each shard, by path

    Raises
    ------
    DataError
        If one is of another seed.
    """
    folder = shards / f"{n_iter:06d}"
    if not folder.is_dir():
        return
    for path in sorted(folder.glob("seg_*.h5")):
        try:
            check_shard(path, (digests or {}).get(str(path)))
            block = read_block(path)
        except DataError as error:
            log.warning("%s", move_damaged(path, error))
            continue
        check_seed(path, seed)
        yield block


def digest_datasets(datasets: Mapping[str, Array]) -> str:
    """Return the sha256 of a shard's datasets, by name."""
    digest = hashlib.sha256()
    for name in DATASETS:
        if name in datasets:
            values = np.ascontiguousarray(datasets[name])
            digest.update(f"{name}{values.dtype.str}{values.shape}".encode())
            digest.update(values.data)
    return digest.hexdigest()
