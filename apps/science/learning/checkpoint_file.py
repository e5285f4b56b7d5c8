"""What is in a .pt file, read without running code; a damaged one is told from others'.

torch writes a zip archive of uncompressed records, each with a CRC-32, but does not
look at these checksums when it reads. Here they are checked first.
"""

import pickle
import struct
import zipfile
import zlib
from pathlib import Path
from typing import Any, Final

from apps.science.errors import DataError


class DamagedCheckpointError(DataError):
    """A checkpoint was cut or altered since it was written."""


class ForeignCheckpointError(DataError):
    """A file is no checkpoint of weft."""


_NO_ARCHIVE: Final = (
    zipfile.BadZipFile, NotImplementedError, RuntimeError, ValueError, EOFError,
    OverflowError, struct.error, zlib.error,
)  # fmt: skip
"""What zipfile raises where bytes are not as they should be."""


def read_plain(path: Path) -> Any:
    """Return the tensors and plain values of a file that torch wrote, on the CPU.

    Raises
    ------
    DataError
        If there is no such file, or it cannot be read.
    DamagedCheckpointError
        If it was cut or altered.
    ForeignCheckpointError
        If it is something else, or holds objects that only code can make.
    """
    import torch

    if not path.exists():
        raise DataError(f"{path} does not exist. Train the model first.")
    try:
        check_records(path)
        return torch.load(path, map_location="cpu", weights_only=True)
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}.") from None
    except pickle.UnpicklingError:
        raise ForeignCheckpointError(
            f"{path} holds more than tensors and plain values, and reading that could "
            "run its code; so it was left alone. weft writes no such files: give a "
            "checkpoint that weft trained."
        ) from None
    except (
        RuntimeError, ValueError, LookupError, EOFError, AttributeError, TypeError,
    ) as error:  # fmt: skip
        said = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise _foreign(path, f"torch cannot read it: {said}") from None


def check_records(path: Path) -> None:
    """Check that the archive is whole and that its records are as they were written."""
    with path.open("rb") as handle:
        begins = handle.read(4)
    size = path.stat().st_size
    if not size:
        raise _damaged(path, "it is empty")
    try:
        with zipfile.ZipFile(path) as archive:
            records = archive.infolist()
            if not any(record.filename.endswith("/data.pkl") for record in records):
                raise _foreign(path, "it is another zip archive")
            if any(r.compress_type != zipfile.ZIP_STORED for r in records):
                raise _foreign(path, "its records are compressed")
            bad = archive.testzip()
    except _NO_ARCHIVE:
        if begins != b"PK\x03\x04":
            raise _foreign(path, "it is no archive of torch's") from None
        why = f"it ends after {size:,} bytes, or bytes of it have changed"
        raise _damaged(path, why) from None
    if bad is not None:
        raise _damaged(path, f"{bad} in it has another checksum than when written")


def _damaged(path: Path, why: str) -> DamagedCheckpointError:
    return DamagedCheckpointError(
        f"{path} is damaged: {why}. Take another copy of it. If it is of a campaign, "
        "weft resume makes it again from what is left."
    )


def _foreign(path: Path, why: str) -> ForeignCheckpointError:
    return ForeignCheckpointError(
        f"{path} is no checkpoint of weft: {why}. Give a best.pt or last.pt that weft "
        "trained; this file was left as it is."
    )


def set_aside(path: Path, word: str) -> Path:
    """Rename ``path`` so that it stays, and return its new name."""
    number, kept = 1, path.with_suffix(f".{word}{path.suffix}")
    while kept.exists():
        number += 1
        kept = path.with_suffix(f".{word}-{number}{path.suffix}")
    return path.rename(kept)
