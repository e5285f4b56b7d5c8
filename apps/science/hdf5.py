"""Write our HDF5 files whole or not at all; open them, checking what they are."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py

from apps.science.checked_file import CheckedFile
from apps.science.errors import DataError
from apps.science.files import atomic_path, copy_file

DAMAGES = (OSError, KeyError, ValueError, RuntimeError, MemoryError, TypeError)
"""What h5py raises on a file whose inside is broken."""


@contextmanager
def atomic_hdf5(
    path: Path, begin_from: Path | None = None, **layout: Any
) -> Iterator[h5py.File]:
    """Open a new HDF5 file that appears at ``path`` when all of it is on the disk.

    What HDF5 wrote is read back and compared before the file gets its name.

    Parameters
    ----------
    begin_from : where given, the file begins as a copy of this one
    layout : further keywords of ``h5py.File``

    Raises
    ------
    DiskFullError
        If there is no room for it.
    DataError
        If the disk does not hold what was written.
    """
    with atomic_path(path) as temporary:
        new = begin_from is None
        if begin_from is not None:
            copy_file(begin_from, temporary, path)
        with _through(temporary, path, new=new, **layout) as h5:
            yield h5


@contextmanager
def edit_hdf5(path: Path) -> Iterator[h5py.File]:
    """Open a file to change it in place; what was written is read back and compared.

    Raises
    ------
    DiskFullError, DataError
        As ``atomic_hdf5`` does.
    """
    with _through(path, path, new=False) as h5:
        yield h5


@contextmanager
def _through(
    path: Path, shown: Path, *, new: bool, **layout: Any
) -> Iterator[h5py.File]:
    file = CheckedFile(path, new=new, shown=shown)
    try:
        with h5py.File(file, "w" if new else "r+", **layout) as h5:
            yield h5
        file.check()
    except BaseException:
        if file.failed:  # whatever came of it, this is the reason
            file.check()
        raise
    finally:
        file.close()


def open_checked(path: Path, schema: str, remedy: str, mode: str = "r") -> h5py.File:
    """Open ``path`` whose attribute ``schema`` must be the one given.

    Parameters
    ----------
    remedy
        Ends the message of the error: what to do.

    Raises
    ------
    DataError
        If the file is missing, not HDF5, or of another schema.
    """
    if not path.is_file():
        raise DataError(f"{path} does not exist. {remedy}")
    try:
        # a run may still hold the file that we look at
        h5 = h5py.File(path, mode, locking=False)
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error}). {remedy}") from None
    try:
        found = h5.attrs.get("schema")
    except DAMAGES as error:
        h5.close()
        raise DataError(f"{path} is damaged ({error}). {remedy}") from None
    if not isinstance(found, str) or not found.startswith("weft-"):
        h5.close()
        raise DataError(
            f"{path} was not written by weft: it has no schema. Expected a file of "
            f"schema {schema!r}."
        )
    if found != schema:
        h5.close()
        raise DataError(
            f"{path} has schema {found!r}; this version reads {schema!r}. {remedy}"
        )
    return h5
