"""Read single rows of a large HDF5 array in any order, without reading chunks.

A batch of shuffled frames touches nearly as many chunks as it has frames. HDF5 copies
each whole chunk to give one row of it; here the file is mapped into memory and rows are
taken from where the chunks lie. What is held in memory is the page cache, which all
ranks of a host share.
"""

import os
from pathlib import Path
from typing import Any

import numpy as np

from apps.science.arrays import Array, IntArray
from apps.science.errors import DataError

_ITEM = 4


class MappedRows:
    """Rows of one float32 dataset (n_rows, ...), little-endian, without filters.

    Parameters
    ----------
    dataset : open h5py dataset; it may be closed afterwards
    path : its file
    """

    def __init__(self, dataset: Any, path: Path) -> None:
        self.shape: tuple[int, ...] = dataset.shape
        self._width = int(np.prod(self.shape[1:], dtype=int))
        self._per_chunk, offsets = _find_chunks(dataset, path)
        shift = int(offsets[0]) % _ITEM if len(offsets) else 0
        if ((offsets - shift) % _ITEM).any():
            raise DataError(
                f"{path} was not written by weft: the chunks of {dataset.name} lie at "
                "odd bytes. Write the dataset again."
            )
        self._path, self._bytes = path, offsets
        self._starts = (offsets - shift) // _ITEM
        self._file: Any = None
        if len(self):
            n_items = (path.stat().st_size - shift) // _ITEM
            self._file = np.memmap(path, "<f4", "r", shift, (n_items,))

    def __len__(self) -> int:
        """Return the number of rows."""
        return self.shape[0]

    @property
    def n_bytes(self) -> int:
        """Return what all rows take."""
        return len(self) * self._width * _ITEM

    def read_ahead(self) -> None:
        """Ask the system to bring all rows into the page cache, without waiting.

        Shuffled rows of a file that lies on a disk are otherwise read one by one.
        """
        if not hasattr(os, "posix_fadvise"):
            return
        each = self._per_chunk * self._width * _ITEM
        with self._path.open("rb") as handle:
            for start in self._bytes.tolist():
                os.posix_fadvise(handle.fileno(), start, each, os.POSIX_FADV_WILLNEED)

    def read(self, rows: IntArray) -> Array:
        """Return ``rows`` in their order, (len(rows), ...), a copy."""
        rows = np.asarray(rows)
        if not len(rows):
            return np.empty((0, *self.shape[1:]), dtype=np.float32)
        chunk, within = np.divmod(rows, self._per_chunk)
        first = self._starts[chunk] + within * self._width
        where = first[:, None] + np.arange(self._width)
        found: Array = self._file[where].reshape(len(rows), *self.shape[1:])
        return found


def _find_chunks(dataset: Any, path: Path) -> tuple[int, IntArray]:
    """Return rows per chunk and the byte where each chunk begins."""
    n_rows = dataset.shape[0]
    plain = dataset.dtype == np.dtype("<f4") and dataset.compression is None
    if not plain or dataset.shuffle or dataset.fletcher32:
        raise DataError(
            f"{dataset.name} of {path} was repacked as {dataset.dtype} with a filter; "
            "expected plain float32. Use the file as weft wrote it."
        )
    if dataset.chunks is None:
        start = dataset.id.get_offset() or 0
        return max(1, n_rows), np.array([start], dtype=np.int64)
    per_chunk = dataset.chunks[0]
    offsets = np.full(-(-n_rows // per_chunk), -1, dtype=np.int64)

    def note(info: Any) -> None:
        offsets[info.chunk_offset[0] // per_chunk] = info.byte_offset

    dataset.id.chunk_iter(note)
    if (offsets < 0).any():
        raise DataError(
            f"{path} lacks {int((offsets < 0).sum())} of {len(offsets)} chunks of "
            f"{dataset.name}: it was not written to its end. Write it again."
        )
    return per_chunk, offsets
