"""Join the shards of closed WE iterations with their weights into segments.h5.

Weights and frames meet on (n_iter, seg_id), never on the order of a listing. The
shards stay the truth: a store that a kill left half appended is made anew from them.
"""

import logging
from pathlib import Path

import h5py
import numpy as np

from apps.science.arrays import IntArray
from apps.science.errors import DataError, WeightError
from apps.science.segments.store import PER_FRAME, create_store, open_store
from apps.science.we.storage import journal
from apps.science.we.storage.shards import check_shard, open_shard

log = logging.getLogger(__name__)

WEIGHT_TOLERANCE = 1e-6
ROOT_STRIDE = 1 << 32
"""A walker recycled in n_iter founds the lineage n_iter * ROOT_STRIDE + seg_id."""


def ingest(we_folder: Path, out: Path, upto: int, weight_cutoff: float = 0.0) -> Path:
    """Append every closed iteration up to ``upto`` that ``out`` lacks.

    Parameters
    ----------
    weight_cutoff
        Segments of smaller weight are left out; the discarded mass is logged.

    Raises
    ------
    WeightError
        If an iteration's weights do not sum to one within 1e-6.
    """
    if not _usable(out):
        out.unlink(missing_ok=True)
    with _open(out, we_folder) as h5:
        for n_iter in range(int(h5.attrs["last_iter"]) + 1, upto + 1):
            record = journal.read_record(we_folder / "journal", n_iter)
            h5.attrs["half_written"] = n_iter
            h5.flush()
            _append(h5, record, weight_cutoff)
            h5.attrs["last_iter"] = n_iter
            h5.attrs["half_written"] = 0
            h5.flush()
    return out


def _usable(path: Path) -> bool:
    """Tell whether a store can be appended to; a half-written one cannot."""
    if not path.exists():
        return False
    try:
        with open_store(path) as h5:
            return int(h5.attrs.get("half_written", 0)) == 0
    except (OSError, DataError):
        log.warning("%s was left unreadable; ingesting it again from its shards", path)
        return False


def _open(path: Path, we_folder: Path) -> h5py.File:
    if not path.exists():
        first = journal.read_record(we_folder / "journal", 1).segments[0]
        with open_shard(Path(first.shard)) as shard:
            create_store(path, shard["positions"].shape[2])
        with open_store(path, "r+") as h5:
            h5.create_dataset("roots", (0,), "i8", maxshape=(None,))
            h5.create_dataset("discarded_mass", (0,), "f8", maxshape=(None,))
    return open_store(path, "r+")


def _append(
    h5: h5py.File, record: journal.IterationRecord, weight_cutoff: float
) -> None:
    segments = sorted(record.segments, key=lambda s: s.seg_id)
    weights = np.array([s.weight for s in segments])
    if abs(weights.sum() - 1.0) > WEIGHT_TOLERANCE:
        raise WeightError(
            f"The weights of iteration {record.n_iter} sum to {weights.sum():.9f}; "
            "expected 1 within 1e-6. Its journal record was altered or is incomplete."
        )
    roots = _roots(h5["roots"][:], record.n_iter, segments)
    kept = [
        (segment, root)
        for segment, root in zip(segments, roots, strict=True)
        if segment.weight >= weight_cutoff
    ]
    lost = 1.0 - sum(s.weight for s, _ in kept)
    if len(kept) < len(segments):
        log.info(
            "iteration %d: %d of %d segments below the weight cutoff, mass %.3g lost",
            record.n_iter, len(segments) - len(kept), len(segments), lost,
        )  # fmt: skip
    for shard in dict.fromkeys(s.shard for s, _ in kept):
        check_shard(Path(shard), record.digest_of(shard))
        mine = [k for k in kept if k[0].shard == shard]
        _append_shard(h5, record.n_iter, shard, mine)
    h5["roots"].resize((len(roots),))
    h5["roots"][:] = roots
    mass = h5["discarded_mass"]
    mass.resize((record.n_iter,))
    mass[record.n_iter - 1] = max(0.0, lost)


def _append_shard(
    h5: h5py.File,
    n_iter: int,
    path: str,
    kept: list[tuple[journal.SegmentRecord, int]],
) -> None:
    rows = [s.row for s, _ in kept]
    with open_shard(Path(path)) as shard:
        held = shard["seg_id"][:]
        for segment, _ in kept:
            if held[segment.row] != segment.seg_id:
                raise DataError(
                    f"Row {segment.row} of {path} holds segment {held[segment.row]} "
                    f"but the journal says {segment.seg_id}. The shard was altered; "
                    "delete it and run the iteration again."
                )
        n_frames, n_atoms = shard["positions"].shape[1:3]
        first = len(h5["weight"])
        last = first + len(rows) * n_frames
        for name in ("positions", "forces"):
            h5[name].resize((last, n_atoms, 3))
            h5[name][first:last] = shard[name][:][rows].reshape(-1, n_atoms, 3)
    values: dict[str, list[float] | list[int]] = {
        "weight": [s.weight for s, _ in kept],
        "n_iter": [n_iter] * len(kept),
        "seg_id": [s.seg_id for s, _ in kept],
        "parent": [s.parent_id for s, _ in kept],
        "root": [root for _, root in kept],
    }
    for name in PER_FRAME:
        h5[name].resize((last,))
        if name == "frame":
            h5[name][first:last] = np.tile(np.arange(n_frames), len(rows))
        else:
            h5[name][first:last] = np.repeat(values[name], n_frames)


def _roots(
    previous: IntArray, n_iter: int, segments: list[journal.SegmentRecord]
) -> IntArray:
    """Return each segment's founder: its ancestor in iteration 1, or a recycling.

    ``segments`` are ordered by seg_id, which count from 0, as ``previous`` is.
    """
    return np.array(
        [
            previous[s.parent_id]
            if s.parent_id >= 0
            else (n_iter - 1) * ROOT_STRIDE + s.seg_id
            for s in segments
        ],
        dtype="i8",
    )
