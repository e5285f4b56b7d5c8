"""segments.h5: every ingested frame of a WE run with its weight and lineage.

One row per frame, ordered by (n_iter, seg_id, frame): ``weight`` float64, the raw WE
weight of its segment; ``n_iter``, ``seg_id``, ``frame``, ``parent`` (seg_id in the
iteration before; negative for a start), ``root`` (seg_id of its ancestor in iteration
1); ``weight_eq`` where equilibrium weights were found (equilibrium_store.py).
``discarded_mass`` (last_iter,) is the weight that a cutoff left out.

Frames are not copied: ``where/`` says in which shard and row each segment lies, and
``open_store`` gives ``positions`` and ``forces`` (n_frames, n_atoms, 3) float32 from
there. A store that was made without shards (``create_store``) holds them itself.
"""

import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from apps.science.errors import ShapeMismatchError
from apps.science.hdf5 import atomic_hdf5, open_checked
from apps.science.segments.sharded import (
    FRAME_DATASETS,
    WHERE,
    ShardedFrames,
    places_of,
)

SCHEMA = "weft-segments-2"
FORMER = "weft-segments-1"
"""Held its frames itself; otherwise alike."""
PER_FRAME = ("weight", "n_iter", "seg_id", "frame", "parent", "root")
DTYPES = {"weight": "f8", "n_iter": "i4", "frame": "i2"}
"""Of the columns; i8 where none is given."""
UNITS = "Angstrom, kcal/mol/Angstrom"
_REMEDY = "Move it away and resume the run: it is written again."
_BATCH_BYTES = 8 << 20
"""More no longer fits a core's cache, and is mapped more slowly."""


class Store(h5py.File):  # type: ignore[misc]  # h5py carries no types
    """An open store; ``positions`` and ``forces`` may come from shards."""

    def __getitem__(self, name: Any) -> Any:
        """Return a dataset, or what reads like one."""
        if name in FRAME_DATASETS and WHERE in self:
            return ShardedFrames(self, str(name))
        return super().__getitem__(name)


def create_store(path: Path, n_atoms: int) -> None:
    """Create an empty store that holds the frames of ``n_atoms`` atoms itself."""
    with atomic_hdf5(path) as h5:
        lay_out(h5, n_atoms)


def lay_out(h5: h5py.File, n_atoms: int) -> None:
    """Make the empty datasets of a store that holds its frames itself."""
    h5.attrs.update({"schema": SCHEMA, "n_atoms": n_atoms, "last_iter": 0})
    h5.attrs["units"] = UNITS
    chunk = max(1, min(256, (1 << 19) // (n_atoms * 12)))
    for name in FRAME_DATASETS:
        h5.create_dataset(
            name,
            (0, n_atoms, 3),
            "f4",
            maxshape=(None, n_atoms, 3),
            chunks=(chunk, n_atoms, 3),
        )
    for name in PER_FRAME:
        h5.create_dataset(
            name, (0,), DTYPES.get(name, "i8"), maxshape=(None,), chunks=(4096,)
        )


def open_store(path: Path, mode: str = "r") -> Store:
    """Open a store, checking its schema and, for reading, its columns and shards.

    Raises
    ------
    DataError
        If the file is missing, damaged or of another schema, or a shard is missing.
    ShapeMismatchError
        If there are more or fewer weights than frames.
    """
    schema = FORMER if _read_schema(path) == FORMER else SCHEMA
    store = Store(open_checked(path, schema, _REMEDY, mode).id)
    if mode == "r":
        try:
            _check(store, path)
        except BaseException:
            store.close()
            raise
    return store


def _read_schema(path: Path) -> str:
    try:
        with h5py.File(path, "r", locking=False) as h5:
            return str(h5.attrs.get("schema"))
    except OSError:
        return ""  # what is wrong with it is said by open_checked


def _check(store: Store, path: Path) -> None:
    """Require one value of every column for each frame, and every shard."""
    if WHERE in store:
        places = places_of(store)
        n_frames = places.n_frames
        places.check_all_there()
    else:
        n_frames = len(store["positions"])
    for name in ("weight", "n_iter", "seg_id", "frame", "parent"):
        if name not in store or len(store[name]) != n_frames:
            found = len(store[name]) if name in store else "no"
            raise ShapeMismatchError(
                f"{path} holds {n_frames} frames but {found} values of {name}; "
                f"expected one for each frame. It was altered. {_REMEDY}"
            )


def iterate_frames(
    path: Path, n_per_batch: int | None = None, columns: Sequence[str] = PER_FRAME
) -> Iterator[dict[str, np.ndarray]]:
    """Yield batches of rows as a dict of arrays, in file order.

    Parameters
    ----------
    n_per_batch : rows; left open, about 8 MiB of positions and forces, which end with
        a shard where they lie in shards
    columns : what comes with the positions and forces

    Raises
    ------
    DataError
        If a shard is missing, damaged, or not the one that was ingested.
    """
    with open_store(path) as h5:
        n = len(h5["weight"])
        each = n_per_batch or max(1, _BATCH_BYTES // (24 * int(h5.attrs["n_atoms"])))
        places = places_of(h5) if WHERE in h5 else None
        bounds = [*range(0, n, each), n] if n else []
        if places is not None and n_per_batch is None:
            bounds = places.choose_bounds(each)
        for start, stop in itertools.pairwise(bounds):
            rows = slice(start, stop)
            if places is None:
                batch = {name: h5[name][rows] for name in FRAME_DATASETS}
            else:
                found = places.read(FRAME_DATASETS, np.arange(start, stop))
                batch = dict(zip(FRAME_DATASETS, found, strict=True))
            yield batch | {name: h5[name][rows] for name in columns}
