"""Open our HDF5 files, checking that they are there and of the schema we read."""

from pathlib import Path

import h5py

from apps.science.errors import DataError


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
    found = h5.attrs.get("schema")
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
