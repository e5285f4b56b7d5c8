"""Read the frames of a store from the shards where they lie.

HDF5 has virtual datasets for this. They keep every source open, and where the limit of
open files is reached they give fill values in silence (60 of 300 shards were read,
with a limit of 200); a run has thousands of shards. So the place of each segment is a
row of ``where/`` and shards are opened one after the other.

``where/``: path (n_shards), relative to the store's folder; digest (n_shards), as the
journal holds them; shard, row (n_segments); first (n_segments + 1), the store's row at
which each segment's frames begin.
"""

import itertools
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from apps.science.arrays import Array, IntArray
from apps.science.errors import DataError
from apps.science.hdf5 import DAMAGES
from apps.science.segments.shard_reading import (
    damaged,
    open_quickly,
    read_rows,
)

FRAME_DATASETS = ("positions", "forces")
WHERE = "where"


class Places:
    """Where the frames of a store lie.

    Parameters
    ----------
    where : the group ``where`` of an open store
    folder : the folder that shards' paths are relative to
    """

    def __init__(self, where: Any, folder: Path, n_atoms: int) -> None:
        self.folder, self.n_atoms = folder, n_atoms
        self.paths = where["path"].asstr()[:]
        self.digests = where["digest"].asstr()[:]
        self.shard: IntArray = where["shard"][:]
        self.row: IntArray = where["row"][:]
        self.first: IntArray = where["first"][:]

    @property
    def n_frames(self) -> int:
        """Return the number of frames."""
        return int(self.first[-1])

    def check_all_there(self) -> None:
        """Require that every shard exists, listing each folder once.

        Raises
        ------
        DataError
            If one is missing.
        """
        listed: dict[str, set[str]] = {}
        for path in self.paths:
            folder, _, name = path.rpartition("/")
            if folder not in listed:
                place = self.folder / folder
                listed[folder] = (
                    {p.name for p in place.iterdir()} if place.is_dir() else set()
                )
            if name not in listed[folder]:
                raise DataError(
                    f"The shard {self.folder / path} is missing, and with it frames "
                    "of segments.h5, which only says where they lie. Restore it, or "
                    "move the store together with its WE folder."
                )

    def choose_bounds(self, n_rows: int) -> list[int]:
        """Return where to cut all rows into batches that no shard lies across.

        Batches have ``n_rows`` rows or less, unless one shard has more.
        """
        starts = [0, *(np.flatnonzero(np.diff(self.shard)) + 1).tolist()]
        ends = self.first[[*starts[1:], len(self.shard)]].tolist()
        bounds = [0]
        for begin, end in zip(self.first[starts].tolist(), ends, strict=True):
            if end - bounds[-1] > n_rows and begin > bounds[-1]:
                bounds.append(begin)
        return [*bounds, self.n_frames] if self.n_frames else []

    def read(self, names: Sequence[str], rows: IntArray) -> list[Array]:
        """Return rows of the datasets ``names``, each (len(rows), n_atoms, 3) float32.

        Every shard is opened once, in the order in which rows first need it.

        Raises
        ------
        DataError
            If a shard is missing, damaged, or not the one that was ingested.
        """
        segment = np.searchsorted(self.first, rows, side="right") - 1
        shard = self.shard[segment]
        n_frames = self.first[segment + 1] - self.first[segment]
        within = self.row[segment] * n_frames + rows - self.first[segment]
        found = [np.empty((len(rows), self.n_atoms, 3), "f4") for _ in names]
        changes = np.flatnonzero(np.diff(shard)) + 1
        bounds = [0, *changes.tolist(), len(rows)] if len(rows) else [0]
        for start, stop in itertools.pairwise(bounds):
            here = slice(start, stop)
            each = int(n_frames[start])
            self._read_one(
                int(shard[start]), each, names, within[here], [f[here] for f in found]
            )
        return found

    def _read_one(
        self,
        shard: int,
        n_each: int,
        names: Sequence[str],
        within: IntArray,
        out: list[Array],
    ) -> None:
        """Fill ``out`` with the frames ``within``, counted over the rows of a shard."""
        path = self.folder / self.paths[shard]
        low, high = int(within.min()), int(within.max()) + 1
        first, last = low // n_each, -(-high // n_each)
        shape = (last - first, n_each, self.n_atoms, 3)
        whole = len(within) == (last - first) * n_each and bool(
            (np.diff(within) == 1).all()
        )
        with open_quickly(path) as h5:
            try:
                found = str(h5.attrs["digest"])
                if found == self.digests[shard]:
                    for name, values in zip(names, out, strict=True):
                        if whole:
                            read_rows(h5, name, first, values.reshape(shape))
                        else:
                            block = np.empty(shape, "f4")
                            read_rows(h5, name, first, block)
                            flat = block.reshape(-1, self.n_atoms, 3)
                            values[:] = flat[within - first * n_each]
                    return
            except DAMAGES as error:
                raise damaged(path, error) from None
        raise DataError(
            f"{path} is not the shard that was ingested: it carries the sha256 "
            f"{found[:12]}, expected {self.digests[shard][:12]}. Restore it, or move "
            "segments.h5 away and resume the run, which writes it again."
        )


class ShardedFrames:
    """``positions`` or ``forces`` of a store, as if they were one array in it."""

    dtype = np.dtype("f4")

    def __init__(self, store: h5py.File, name: str) -> None:
        self._store, self._name = store, name
        self._n_atoms = int(store.attrs["n_atoms"])

    @cached_property
    def _places(self) -> Places:
        return places_of(self._store)

    @property
    def shape(self) -> tuple[int, int, int]:
        """(n_frames, n_atoms, 3)."""
        return (len(self._store["weight"]), self._n_atoms, 3)

    def __len__(self) -> int:
        """Return the number of frames."""
        return self.shape[0]

    def __getitem__(self, key: Any) -> Array:
        """Return frames as numpy would, read from their shards."""
        first, *rest = key if isinstance(key, tuple) else (key,)
        if first is Ellipsis:
            first, rest = slice(None), [Ellipsis, *rest]
        rows = np.arange(len(self))[first]
        (found,) = self._places.read([self._name], np.atleast_1d(rows))
        if np.ndim(rows) == 0:
            one: Array = found[0][tuple(rest)] if rest else found[0]
            return one
        many: Array = found[(slice(None), *rest)] if rest else found
        return many


def places_of(store: h5py.File) -> Places:
    """Return where the frames of an open store lie."""
    return Places(
        store[WHERE], Path(store.filename).parent, int(store.attrs["n_atoms"])
    )
