"""One JSON record per closed iteration: its segments, their weights and shards.

Kept as columns, since an iteration may have thousands of segments.
"""

import json
import math
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from apps.science.errors import DataError
from apps.science.files import write_text

AT_RESUME = (
    "Type `weft resume` with the run folder: the record is set aside and made again "
    "from the shards."
)

WEIGHT_TOLERANCE = 1e-6


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
    """A closed iteration; columns ordered by seg_id.

    Attributes
    ----------
    seed : the run's; every segment's follows from (seed, n_iter, seg_id)
    seg_ids, parent_ids, weights : one entry per segment
    places : per segment, its shard (an index into ``shards``) and row
    shards : their paths
    digests : sha256 of each shard's data
    summary : what ``iteration_summary.summarise`` found
    """

    n_iter: int
    seed: int
    seg_ids: list[int]
    parent_ids: list[int]
    weights: list[float]
    places: list[tuple[int, int]]
    shards: list[str]
    digests: list[str]
    summary: dict[str, Any]

    @cached_property
    def segments(self) -> list[SegmentRecord]:
        """The segments one by one."""
        rows = zip(
            self.seg_ids, self.parent_ids, self.weights, self.places, strict=True
        )
        return [
            SegmentRecord(seg_id, parent, weight, self.shards[shard], row)
            for seg_id, parent, weight, (shard, row) in rows
        ]

    def digest_of(self, shard: str) -> str:
        """Return the recorded digest of a shard's data."""
        return self.digests[self.shards.index(shard)]

    @cached_property
    def digest_by_shard(self) -> dict[str, str]:
        """The recorded digest of each shard's data, by its path."""
        return dict(zip(self.shards, self.digests, strict=True))

    @cached_property
    def shard_by_segment(self) -> dict[int, int]:
        """The index into ``shards`` of each segment, by seg_id."""
        pairs = zip(self.seg_ids, self.places, strict=True)
        return {seg_id: shard for seg_id, (shard, _) in pairs}

    def find_fault(self) -> str:
        """Say what is wrong with the record itself, nothing where all is well."""
        counts = {
            "segments": len(self.seg_ids), "parents": len(self.parent_ids),
            "weights": len(self.weights), "places": len(self.places),
        }  # fmt: skip
        if len(set(counts.values())) > 1:
            found = ", ".join(f"{n} {what}" for what, n in counts.items())
            return (
                f"The journal record of iteration {self.n_iter} holds {found}; "
                "expected as many of each. It was altered."
            )
        total = math.fsum(self.weights)
        if not abs(total - 1.0) <= WEIGHT_TOLERANCE:
            return (
                f"The weights of iteration {self.n_iter} sum to {total:.9f}; expected "
                "1 within 1e-6. Its journal record was altered or is incomplete."
            )
        if len(self.shards) != len(self.digests) or not all(
            0 <= shard < len(self.shards) for shard, _ in self.places
        ):
            return (
                f"The journal record of iteration {self.n_iter} names shards that it "
                "does not list. It was altered."
            )
        return ""

    def same_ensemble(self, other: "IterationRecord") -> bool:
        """Tell whether two records hold the same walkers, bit for bit."""
        return (
            self.seg_ids == other.seg_ids
            and self.parent_ids == other.parent_ids
            and self.weights == other.weights
        )


def record_path(journal: Path, n_iter: int) -> Path:
    """Return where the record of ``n_iter`` lies."""
    return journal / f"iter_{n_iter:06d}.json"


def write_record(journal: Path, record: IterationRecord) -> Path:
    """Write a record atomically; shard paths are kept relative to the WE folder."""
    root = journal.parent
    body = {
        "n_iter": record.n_iter,
        "seed": record.seed,
        "summary": record.summary,
        "shards": [str(Path(p).relative_to(root)) for p in record.shards],
        "digests": record.digests,
        "seg_id": record.seg_ids,
        "parent_id": record.parent_ids,
        "weight": record.weights,
        "place": record.places,
    }
    return write_text(record_path(journal, record.n_iter), json.dumps(body) + "\n")


def read_record(journal: Path, n_iter: int) -> IterationRecord:
    """Read one record.

    Raises
    ------
    DataError
        If the iteration has not been closed, or the record cannot be read.
    """
    path = record_path(journal, n_iter)
    if not path.exists():
        raise DataError(f"{path} does not exist: iteration {n_iter} was never closed.")
    try:
        body = json.loads(path.read_text(encoding="utf-8"))
        root = journal.parent
        return IterationRecord(
            body["n_iter"],
            body["seed"],
            body["seg_id"],
            body["parent_id"],
            body["weight"],
            [(shard, row) for shard, row in body["place"]],
            [str(root / name) for name in body["shards"]],
            body["digests"],
            body["summary"],
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataError(
            f"{path} cannot be read ({type(error).__name__}: {error}). {AT_RESUME}"
        ) from None


def find_record(journal: Path, n_iter: int) -> IterationRecord | None:
    """Return the record of an iteration, None where it was not closed yet.

    Raises
    ------
    DataError
        If it cannot be read.
    """
    if not record_path(journal, n_iter).exists():
        return None
    return read_record(journal, n_iter)


def last_closed(journal: Path) -> int:
    """Return the newest closed iteration, 0 where none is."""
    names = sorted(p.stem for p in journal.glob("iter_*.json"))
    return int(names[-1].split("_")[1]) if names else 0
