"""What of a file has a meaning: its bytes without dates, paths and durations.

Some files say when they were written, or how long that took, beside what they are for,
and never come out the same twice. By its content a file that was made again can be
told to be the same.
"""

import csv
import hashlib
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

_UNREADABLE: Final = (
    OSError, KeyError, RuntimeError, UnicodeDecodeError, csv.Error, zipfile.BadZipFile,
)  # fmt: skip
_DURATIONS: Final = {"seconds", "frames_per_second"}


def hash_content(path: Path) -> str | None:
    """Return the sha256 of what a file means; None where that is all its bytes.

    Of a PDB file its remarks do not count, of a checkpoint only the tensors do, of a
    CSV table not the columns that are durations, of a west.h5 the walkers do.
    """
    reader = _READERS.get(path.suffix)
    if reader is None:
        return None
    digest = hashlib.sha256()
    try:
        for piece in reader(path):
            digest.update(piece)
    except _UNREADABLE:
        return None
    return digest.hexdigest()


def _structure(path: Path) -> Iterator[bytes]:
    for line in path.read_bytes().splitlines(keepends=True):
        if not line.startswith(b"REMARK"):
            yield line


def _tensors(path: Path) -> Iterator[bytes]:
    """Yield the tensors of a checkpoint, which is a zip file of them."""
    with zipfile.ZipFile(path) as archive:
        named = [n for n in archive.namelist() if Path(n).parent.name == "data"]
        for name in sorted(named, key=lambda n: (len(n), n)):
            yield archive.read(name)


def _figures(path: Path) -> Iterator[bytes]:
    with path.open(encoding="utf-8", newline="") as handle:
        for row in csv.DictReader(handle):
            kept = {k: v for k, v in row.items() if k not in _DURATIONS}
            yield repr(kept).encode()


def _walkers(path: Path) -> Iterator[bytes]:
    """Yield the walkers of a west.h5, without the time that they took."""
    import h5py

    with h5py.File(path, "r", locking=False) as h5:
        if "west_current_iteration" not in h5.attrs:
            raise OSError("of other HDF5 files every byte counts")
        iterations = h5["iterations"]
        for name in sorted(iterations):
            group = iterations[name]
            yield name.encode()
            for column in ("weight", "parent_id", "status"):
                yield group["seg_index"][column].tobytes()
            yield group["pcoord"][()].tobytes()


_READERS: Final[dict[str, Callable[[Path], Iterator[bytes]]]] = {
    ".pdb": _structure, ".pt": _tensors, ".csv": _figures, ".h5": _walkers,
}  # fmt: skip
