"""Read the segments of closed WE iterations back from their shards, a few at a time."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import numpy as np

from apps.science.arrays import Array, IntArray
from apps.science.errors import DataError, WeightError
from apps.science.segments.ingest import WEIGHT_TOLERANCE
from apps.science.we.storage import journal
from apps.science.we.storage.shards import check_shard, open_shard


@dataclass(frozen=True)
class ClosedSegments:
    """Segments of one iteration that lie in one shard, ordered by seg_id.

    Attributes
    ----------
    seg_ids, parent_ids, weights : (n_segments,)
    positions : (n_segments, n_frames, n_atoms, 3), Angstrom, float32
    pcoord : (n_segments, n_frames, n_dim)
    """

    n_iter: int
    seg_ids: IntArray
    parent_ids: IntArray
    weights: Array
    positions: Array
    pcoord: Array


def read_segments(we_folder: Path, first: int, last: int) -> Iterator[ClosedSegments]:
    """Yield the segments of the iterations ``first`` to ``last``, in order.

    Raises
    ------
    DataError
        If a shard is missing, was altered, or does not fit its journal record.
    WeightError
        If an iteration's weights do not sum to one.
    """
    for n_iter in range(first, last + 1):
        record = journal.read_record(we_folder / "journal", n_iter)
        segments = sorted(record.segments, key=lambda s: s.seg_id)
        total = sum(s.weight for s in segments)
        if abs(total - 1.0) > WEIGHT_TOLERANCE:
            raise WeightError(
                f"The weights of iteration {n_iter} sum to {total:.9f}; expected 1 "
                "within 1e-6. Its journal record was altered or is incomplete."
            )
        for shard in record.shards:
            check_shard(Path(shard), record.digest_of(shard))
        for shard, together in groupby(segments, key=lambda s: s.shard):
            yield _read(n_iter, Path(shard), list(together))


def _read(
    n_iter: int, path: Path, segments: list[journal.SegmentRecord]
) -> ClosedSegments:
    rows = [s.row for s in segments]
    seg_ids = np.array([s.seg_id for s in segments])
    with open_shard(path) as shard:
        found = shard["seg_id"][:][rows]
        if not np.array_equal(found, seg_ids):
            raise DataError(
                f"{path} holds the segments {found.tolist()} where the journal says "
                f"{seg_ids.tolist()}. Restore the shard and the journal from one copy."
            )
        return ClosedSegments(
            n_iter,
            seg_ids,
            np.array([s.parent_id for s in segments]),
            np.array([s.weight for s in segments]),
            shard["positions"][:][rows],
            shard["pcoord"][:][rows],
        )
