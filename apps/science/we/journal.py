"""What each closed WE iteration was: its segments, weights, parents and shards."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from apps.science.errors import DataError
from apps.science.files import hash_file, write_json


@dataclass(frozen=True)
class SegmentRecord:
    """One segment of a closed iteration and where its frames lie."""

    seg_id: int
    parent_id: int
    weight: float
    shard: str
    row: int


@dataclass(frozen=True)
class IterationRecord:
    """A closed iteration; segments ordered by seg_id.

    ``hashes`` are the sha256 of its shards, by path.
    """

    n_iter: int
    segments: list[SegmentRecord]
    hashes: dict[str, str]
    summary: dict[str, Any]


def record_path(journal: Path, n_iter: int) -> Path:
    """Return where the record of ``n_iter`` lies."""
    return journal / f"iter_{n_iter:06d}.json"


def write_record(journal: Path, record: IterationRecord) -> Path:
    """Write a record atomically; shard paths are kept relative to the WE folder."""
    root = journal.parent
    rows = [
        vars(s) | {"shard": str(Path(s.shard).relative_to(root))}
        for s in record.segments
    ]
    hashes = {str(Path(p).relative_to(root)): h for p, h in record.hashes.items()}
    body = {
        "n_iter": record.n_iter, "segments": rows, "hashes": hashes,
        "summary": record.summary,
    }  # fmt: skip
    return write_json(record_path(journal, record.n_iter), body)


def read_record(journal: Path, n_iter: int) -> IterationRecord:
    """Read one record.

    Raises
    ------
    DataError
        If the iteration has not been closed.
    """
    path = record_path(journal, n_iter)
    if not path.exists():
        raise DataError(f"{path} does not exist: iteration {n_iter} was never closed.")
    body = json.loads(path.read_text(encoding="utf-8"))
    root = journal.parent
    segments = [
        SegmentRecord(**(row | {"shard": str(root / row["shard"])}))
        for row in body["segments"]
    ]
    hashes = {str(root / path): digest for path, digest in body["hashes"].items()}
    return IterationRecord(body["n_iter"], segments, hashes, body["summary"])


def check_shard(record: IterationRecord, shard: str) -> None:
    """Compare a shard with the hash that was recorded when its iteration closed.

    Raises
    ------
    DataError
        If it was altered since.
    """
    if not Path(shard).is_file():
        return  # opening it says so
    found, expected = hash_file(Path(shard)), record.hashes[shard]
    if found != expected:
        raise DataError(
            f"The shard {shard} was altered: its sha256 is {found[:12]}, but "
            f"{expected[:12]} was recorded when iteration {record.n_iter} closed. "
            "Restore it from a copy, or delete the iterations from it on."
        )


def last_closed(journal: Path) -> int:
    """Return the newest closed iteration, 0 where none is."""
    names = sorted(p.stem for p in journal.glob("iter_*.json"))
    return int(names[-1].split("_")[1]) if names else 0
