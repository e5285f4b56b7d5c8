"""What each closed WE iteration was: its segments, weights, parents and shards."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from apps.science.errors import DataError
from apps.science.files import write_json


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
    """A closed iteration; segments ordered by seg_id."""

    n_iter: int
    segments: list[SegmentRecord]
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
    body = {"n_iter": record.n_iter, "segments": rows, "summary": record.summary}
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
    return IterationRecord(body["n_iter"], segments, body["summary"])


def last_closed(journal: Path) -> int:
    """Return the newest closed iteration, 0 where none is."""
    names = sorted(p.stem for p in journal.glob("iter_*.json"))
    return int(names[-1].split("_")[1]) if names else 0
