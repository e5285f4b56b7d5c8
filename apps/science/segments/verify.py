"""Check the shards of closed iterations, and remember what was found.

Every shard is read once and compared with the digest in its iteration's record. What
was found is noted, a line for each iteration, in a file of this process beside the
store (``segments.checked/``), so that work that was killed goes on where it was and
several tasks share it. A note counts as long as the record and the shards' sizes and
times are what they were; a line that a kill cut off counts for nothing.
"""

import hashlib
import json
import logging
import os
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from apps.science.errors import DataError, ShapeMismatchError, WeightError
from apps.science.files import make_folder
from apps.science.segments.shard_reading import read_verified
from apps.science.we.storage.journal import AT_RESUME, IterationRecord, read_record
from apps.science.we.storage.set_aside import move_damaged

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Note:
    """What was found of one iteration.

    Attributes
    ----------
    record : sha256 of its segments, weights, places and shards' digests
    shapes : per shard, (n_frames of a segment, n_atoms)
    stamps : per shard, (size in bytes, time of its last change in ns)
    """

    n_iter: int
    record: str
    shapes: list[tuple[int, int]]
    stamps: list[tuple[int, int]]


def notes_folder(out: Path) -> Path:
    """Return where the notes for a store lie."""
    return out.with_suffix(".checked")


def verify(we_folder: Path, out: Path, first: int, last: int) -> int:
    """Check the iterations ``first`` to ``last`` that no note vouches for.

    Parameters
    ----------
    out : the store that they are checked for; notes lie beside it

    Returns
    -------
    How many were checked.

    Raises
    ------
    DataError
        If a shard is missing, damaged, or not as it was written.
    WeightError
        If an iteration's weights do not sum to one, or do not match its segments.
    """
    notes, n_checked = read_notes(out), 0
    for n_iter in range(first, last + 1):
        record = read_record(we_folder / "journal", n_iter)
        note, digest = notes.get(n_iter), hash_record(record)
        if note is None or not is_valid(note, record, digest):
            write_note(out, check_iteration(record, digest))
            n_checked += 1
    return n_checked


def check_iteration(record: IterationRecord, record_hash: str) -> Note:
    """Read every shard of an iteration and return what was found."""
    check_record(record)
    shapes, stamps = [], []
    places = np.array(record.places, dtype=np.int64).reshape(-1, 2)
    seg_ids = np.array(record.seg_ids, dtype=np.int64)
    for k, (shard, digest) in enumerate(
        zip(record.shards, record.digests, strict=True)
    ):
        path = Path(shard)
        stamps.append(_stamp(path))
        mine = places[:, 0] == k
        try:
            shape = _read_shape(path, digest, places[mine, 1], seg_ids[mine])
        except DataError as error:
            raise move_damaged(path, error) from None
        shapes.append((int(shape[1]), int(shape[2])))
    return Note(record.n_iter, record_hash, shapes, stamps)


def _read_shape(path: Path, digest: str, rows: Any, seg_ids: Any) -> tuple[int, ...]:
    """Check a shard and return the shape of its positions."""
    data = read_verified(path, digest)
    held = data["seg_id"]
    shape, other = data["positions"].shape, data["forces"].shape
    if shape != other or shape[0] != len(held):
        raise ShapeMismatchError(
            f"{path} holds positions {shape}, forces {other} and {len(held)} segments; "
            "expected as many of each."
        )
    _check_rows(path, held, rows, seg_ids)
    return tuple(shape)


def _check_rows(path: Path, held: Any, rows: Any, seg_ids: Any) -> None:
    outside = rows >= len(held)
    found = np.where(outside, -1, held[np.minimum(rows, len(held) - 1)])
    wrong = np.flatnonzero(found != seg_ids)
    if len(wrong):
        row, expected = int(rows[wrong[0]]), int(seg_ids[wrong[0]])
        what = "nothing" if outside[wrong[0]] else f"segment {found[wrong[0]]}"
        raise DataError(
            f"Row {row} of {path} holds {what} but the journal says {expected}. The "
            "shard was altered."
        )


def check_record(record: IterationRecord) -> None:
    """Require a weight for every segment, and that they sum to one.

    Raises
    ------
    WeightError
        If not.
    """
    fault = record.find_fault()
    if fault:
        raise WeightError(f"{fault} {AT_RESUME}")


def hash_record(record: IterationRecord) -> str:
    """Return the sha256 of what an iteration is: its walkers and their data."""
    what = [
        record.n_iter, record.seg_ids, record.parent_ids, record.weights,
        record.places, record.digests,
    ]  # fmt: skip
    return hashlib.sha256(json.dumps(what).encode()).hexdigest()


def is_valid(note: Note, record: IterationRecord, record_hash: str) -> bool:
    """Tell whether a note still speaks of this record and these files."""
    if note.record != record_hash or len(note.stamps) != len(record.shards):
        return False
    return all(
        _stamp(Path(shard)) == stamp
        for shard, stamp in zip(record.shards, note.stamps, strict=True)
    )


def _stamp(path: Path) -> tuple[int, int]:
    try:
        found = path.stat()
    except FileNotFoundError:
        return (-1, 0)
    return found.st_size, found.st_mtime_ns


def read_notes(out: Path) -> dict[int, Note]:
    """Return the notes on a store by iteration; unreadable lines are passed over."""
    notes: dict[int, Note] = {}
    for path in sorted(notes_folder(out).glob("*.jsonl")):
        for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
            note = _parse(line)
            if note is not None:
                notes[note.n_iter] = note
    return notes


def _parse(line: str) -> Note | None:
    try:
        body = json.loads(line)
        return Note(
            int(body["n_iter"]),
            str(body["record"]),
            [(int(f), int(n)) for f, n in body["shapes"]],
            [(int(size), int(when)) for size, when in body["stamps"]],
        )
    except (ValueError, KeyError, TypeError):
        return None


def write_note(out: Path, note: Note) -> None:
    """Append a note to this process's own file."""
    folder = notes_folder(out)
    make_folder(folder)
    path = folder / f"{socket.gethostname()}-{os.getpid()}.jsonl"
    with path.open("a", encoding="utf-8") as handle:
        handle.write(json.dumps(vars(note)) + "\n")
