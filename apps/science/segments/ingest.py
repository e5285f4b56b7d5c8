"""Join the shards of closed WE iterations with their weights into segments.h5.

Weights and frames meet on (n_iter, seg_id), never on the order of a listing. Frames
stay where they are: what is written is a row of weight, lineage and place for each, in
one piece, so a kill leaves the store of before. The work lies in reading every shard
to check it (verify.py), which several tasks may share and none does twice.
"""

import hashlib
import logging
import os
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from apps.science.arrays import Array, IntArray
from apps.science.errors import DataError, ShapeMismatchError
from apps.science.hdf5 import atomic_hdf5
from apps.science.segments.sharded import WHERE
from apps.science.segments.store import DTYPES, PER_FRAME, SCHEMA, UNITS, open_store
from apps.science.segments.verify import (
    Note,
    check_iteration,
    hash_record,
    is_valid,
    read_notes,
    write_note,
)
from apps.science.we.storage import journal
from apps.science.we.storage.journal import WEIGHT_TOLERANCE

__all__ = ["ROOT_STRIDE", "WEIGHT_TOLERANCE", "ingest"]

log = logging.getLogger(__name__)

ROOT_STRIDE = 1 << 32
"""A walker recycled in n_iter founds the lineage n_iter * ROOT_STRIDE + seg_id."""


def ingest(we_folder: Path, out: Path, upto: int, weight_cutoff: float = 0.0) -> Path:
    """Write the closed iterations 1 to ``upto``; nothing if they are all there.

    Parameters
    ----------
    weight_cutoff
        Segments of smaller weight are left out; the discarded mass is logged.

    Raises
    ------
    DataError
        If a shard is missing, damaged or altered, or an iteration is not closed.
    WeightError
        If an iteration's weights do not sum to one within 1e-6, or do not match its
        segments.
    """
    records = [
        journal.read_record(we_folder / "journal", n) for n in range(1, upto + 1)
    ]
    hashes = [hash_record(record) for record in records]
    identity = _identify(hashes, weight_cutoff)
    if _is_there(out, identity, upto):
        return out
    notes = read_notes(out)
    table = _Table(weight_cutoff)
    for record, digest in zip(records, hashes, strict=True):
        note = notes.get(record.n_iter)
        if note is None or not is_valid(note, record, digest):
            note = check_iteration(record, digest)
            write_note(out, note)
        table.add(record, note)
    with atomic_hdf5(out) as h5:
        h5.attrs.update(
            {"schema": SCHEMA, "units": UNITS, "last_iter": upto, "identity": identity}
        )
        table.write(h5, out.parent)
    log.info("ingested %d iterations, %d frames", upto, table.n_frames)
    return out


def _identify(hashes: list[str], weight_cutoff: float) -> str:
    """Return the sha256 of everything that a store of these records depends on."""
    what = [repr(float(weight_cutoff)), *hashes]
    return hashlib.sha256("".join(what).encode()).hexdigest()


def _is_there(path: Path, identity: str, upto: int) -> bool:
    """Tell whether a store holds these iterations, or more."""
    if not path.exists():
        return False
    try:
        with open_store(path) as h5:
            same = str(h5.attrs.get("identity", "")) == identity
            return same or int(h5.attrs["last_iter"]) > upto
    except (OSError, KeyError, DataError) as error:
        log.warning("%s is written anew from its shards: %s", path, error)
        return False


class _Table:
    """Segments with their places, iteration after iteration."""

    def __init__(self, weight_cutoff: float) -> None:
        self.cutoff = weight_cutoff
        self.n_frames = 0
        self._roots: IntArray = np.zeros(0, dtype=np.int64)
        self._n_atoms: int | None = None
        self._shards: list[tuple[str, str]] = []
        self._lost: list[float] = []
        self._columns: dict[str, list[Array]] = {}

    def add(self, record: journal.IterationRecord, note: Note) -> None:
        """Take in one iteration, in order."""
        order = np.argsort(record.seg_ids, kind="stable")
        seg_id = np.array(record.seg_ids, dtype=np.int64)[order]
        parent = np.array(record.parent_ids, dtype=np.int64)[order]
        weight = np.array(record.weights)[order]
        places = np.array(record.places, dtype=np.int64).reshape(-1, 2)[order]
        self._roots = find_roots(self._roots, record.n_iter, seg_id, parent)
        kept = weight >= self.cutoff
        self._note_lost(record.n_iter, weight, kept)
        n_frames = np.array([f for f, _ in note.shapes], dtype=np.int64)
        self._check_atoms(record, note)
        values = {
            "weight": weight, "seg_id": seg_id, "parent": parent, "root": self._roots,
            "n_iter": np.full(len(seg_id), record.n_iter),
            "shard": len(self._shards) + places[:, 0], "row": places[:, 1],
            "n_frames": n_frames[places[:, 0]],
        }  # fmt: skip
        for name, value in values.items():
            self._columns.setdefault(name, []).append(value[kept])
        self._shards += zip(record.shards, record.digests, strict=True)
        self.n_frames += int(values["n_frames"][kept].sum())

    def write(self, h5: Any, folder: Path) -> None:
        """Write one row a frame, and where the frames lie, relative to ``folder``."""
        h5.attrs["n_atoms"] = self._n_atoms or 0
        one = {name: np.concatenate(parts) for name, parts in self._columns.items()}
        n_frames = one.pop("n_frames").astype(np.int64)
        first = np.concatenate([[0], np.cumsum(n_frames)])
        for name in PER_FRAME:
            if name == "frame":
                within = np.arange(first[-1]) - np.repeat(first[:-1], n_frames)
            else:
                within = np.repeat(one[name], n_frames)
            # neighbours are alike: a tenth of the size
            h5.create_dataset(
                name, data=within.astype(DTYPES.get(name, "i8")), maxshape=(None,),
                chunks=(1 << 14,), shuffle=True, compression="gzip",
                compression_opts=1,
            )  # fmt: skip
        h5["discarded_mass"] = np.array(self._lost)
        where = h5.create_group(WHERE)
        paths = [os.path.relpath(path, folder) for path, _ in self._shards]
        where["path"] = np.array(paths, dtype=h5py.string_dtype())
        where["digest"] = np.array([d for _, d in self._shards], h5py.string_dtype())
        where["first"] = first
        for name in ("shard", "row"):
            where[name] = one[name].astype("i4")

    def _note_lost(self, n_iter: int, weight: Array, kept: Any) -> None:
        lost = 1.0 - float(weight[kept].sum())
        if not kept.all():
            log.info(
                "iteration %d: %d of %d segments below the weight cutoff, mass %.3g "
                "lost", n_iter, int((~kept).sum()), len(kept), lost,
            )  # fmt: skip
        self._lost.append(max(0.0, lost))

    def _check_atoms(self, record: journal.IterationRecord, note: Note) -> None:
        for path, (_, n_atoms) in zip(record.shards, note.shapes, strict=True):
            self._n_atoms = self._n_atoms or n_atoms
            if n_atoms != self._n_atoms:
                raise ShapeMismatchError(
                    f"{path} holds {n_atoms} atoms where the shards before have "
                    f"{self._n_atoms}. It is of another system: give each a run folder."
                )


def find_roots(
    previous: IntArray, n_iter: int, seg_id: IntArray, parent: IntArray
) -> IntArray:
    """Return each segment's founder: its ancestor in iteration 1, or a recycling.

    Parameters
    ----------
    previous : founders of the iteration before, by seg_id, which counts from 0
    seg_id, parent : (n_segments,), ordered by seg_id
    """
    founded = (n_iter - 1) * ROOT_STRIDE + seg_id
    if not len(previous):
        return np.asarray(founded, dtype=np.int64)
    inherited = previous[np.clip(parent, 0, len(previous) - 1)]
    return np.asarray(np.where(parent >= 0, inherited, founded), dtype=np.int64)
