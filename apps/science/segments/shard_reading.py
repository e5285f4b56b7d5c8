"""Read whole shards and rows of them with few calls: a run has thousands of them.

h5py's objects cost more than the data of a shard of 1 MB; these functions speak to
HDF5 through its low-level calls, in one third of the time.
"""

import math
from pathlib import Path

import h5py
import numpy as np

from apps.science.arrays import Array
from apps.science.errors import DataError
from apps.science.hdf5 import DAMAGES
from apps.science.we.storage.set_aside import REMEDY, REMEDY_MISSING
from apps.science.we.storage.shards import (
    DATASETS,
    SCHEMA,
    check_shard,
    digest_datasets,
)


def open_quickly(path: Path) -> h5py.File:
    """Open a shard without looking at its schema.

    Raises
    ------
    DataError
        If it is missing or is not HDF5.
    """
    try:
        return h5py.File(path, "r", locking=False)
    except FileNotFoundError:
        raise DataError(
            f"The shard {path} does not exist. Without it its segments can be neither "
            f"continued nor ingested. {REMEDY_MISSING}"
        ) from None
    except OSError as error:
        raise damaged(path, error) from None


def damaged(path: Path, error: Exception) -> DataError:
    """Return the error for a shard whose inside is broken."""
    return DataError(f"The shard {path} is damaged ({error}). {REMEDY}")


def read_datasets(h5: h5py.File, path: Path) -> dict[str, Array]:
    """Return the datasets of a shard, whole and not to be changed, as its schema says.

    The file is read in one piece, and the arrays are views of it.
    """
    whole = path.read_bytes()
    found = {}
    for name, kind in DATASETS.items():
        try:
            dataset = h5py.h5d.open(h5.id, name.encode())
        except KeyError:
            continue  # a box, in vacuum
        start = dataset.get_offset()
        if start is None:  # empty
            found[name] = h5[name][()]
            continue
        shape = dataset.shape
        flat = np.frombuffer(whole, kind, math.prod(shape), start)
        found[name] = flat.reshape(shape)
    return found


def read_rows(h5: h5py.File, name: str, first: int, out: Array) -> None:
    """Fill ``out`` (n_rows, ...) with the rows of a dataset from ``first`` on."""
    dataset = h5py.h5d.open(h5.id, name.encode())
    space = dataset.get_space()
    space.select_hyperslab((first, *(0 for _ in out.shape[1:])), out.shape)
    dataset.read(h5py.h5s.create_simple(out.shape), space, out)


def read_verified(path: Path, expected: str) -> dict[str, Array]:
    """Return everything in a shard whose data have the digest ``expected``.

    Raises
    ------
    DataError
        If it is missing, damaged, of another schema, or was altered.
    """
    with open_quickly(path) as h5:
        try:
            schema = h5.attrs.get("schema")
            held = read_datasets(h5, path) if schema == SCHEMA else {}
        except DAMAGES as error:
            raise damaged(path, error) from None
    if digest_datasets(held) != expected:
        check_shard(path, expected)  # says what is wrong, mostly
        raise damaged(path, ValueError("its numbers are of other types"))
    return held
