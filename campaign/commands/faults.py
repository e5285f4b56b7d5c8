"""What nobody foresaw, as one sentence; its traceback goes to a file."""

import errno
import os
import sys
import tempfile
import time
import traceback
from pathlib import Path
from typing import Final

from apps.science.disk import describe_full, find_full

_MARKS_A_RUN = "resolved.yaml"
_FORESEEN: Final = {
    errno.ENOTDIR: "a part of this path is a file, where a folder is needed; give "
    "another path",
    errno.EEXIST: "a file of this name is there, where a folder is needed; give "
    "another path",
    errno.EISDIR: "it is a folder, where a file is needed; give another path",
    errno.ENAMETOOLONG: "the name is longer than the file system takes",
    errno.ENOENT: "it does not exist, or its folder does not",
    errno.EACCES: "permission denied; look at who may read and write it (ls -ld)",
    errno.EPERM: "the system does not permit it",
    errno.EROFS: "its file system is read-only",
    errno.ENOSPC: "the disk is full; free some space, then go on",
    errno.EDQUOT: "your quota of disk space is used up; free some space, then go on",
    errno.ELOOP: "its links lead in a circle",
}
"""What needs no traceback."""


def say_fault(error: BaseException, words: list[str]) -> str:
    """Return a sentence about an exception, and where its traceback was written.

    Parameters
    ----------
    words : of the command line; the first run folder among them gets the file, else
        the folder for temporary files
    """
    if isinstance(error, OSError) and error.errno in _FORESEEN:
        name = error.filename2 or error.filename
        return f"{f'{name}: ' if name else ''}{_FORESEEN[error.errno]}."
    text = "".join(traceback.format_exception(error))
    return f"{_sentence(error)}{_say_where(text, words)}"


def _sentence(error: BaseException) -> str:
    if (full := find_full(error)) is not None:
        if isinstance(full, OSError):
            path = Path(str(full.filename)) if full.filename else Path.cwd()
            return f"{describe_full(path, full.errno)} "
        return f"{full} "
    if isinstance(error, OSError) and error.filename is not None:
        return f"{error.filename}: {(error.strerror or str(error)).lower()}. "
    if isinstance(error, MemoryError):
        return "There is not enough memory for this. "
    said = " ".join(str(error).split())
    short = said if len(said) <= 300 else f"{said[:300]} ..."
    return f"Something unforeseen: {type(error).__name__}: {short or 'no words'}. "


def _say_where(text: str, words: list[str]) -> str:
    stamp = time.strftime("%Y%m%d-%H%M%S")
    name = f"fault-{stamp}-{os.getpid()}.txt"
    for folder in (*_run_folders(words), Path(tempfile.gettempdir())):
        path = folder / name
        try:
            with path.open("x", encoding="utf-8", errors="backslashreplace") as file:
                file.write(f"weft {' '.join(words)}\n\n{text}")
        except OSError:
            continue
        return f"Where it happened stands in {path}."
    return f"No file could be written to say where it happened:\n{text}"


def _run_folders(words: list[str]) -> list[Path]:
    found = []
    for word in words:
        try:
            if word and (Path(word) / _MARKS_A_RUN).is_file():
                found.append(Path(word).absolute())
        except (OSError, ValueError):
            continue
    return found


def terminal_is_gone() -> bool:
    """Tell whether the terminal that this process wrote to was closed."""
    try:
        os.write(sys.stdout.fileno(), b"")
    except OSError as error:
        return error.errno == errno.EIO
    return False


def leave_quietly() -> None:
    """Leave after a pipe's reader, as with ``| head``, or the terminal has gone."""
    sink = os.open(os.devnull, os.O_WRONLY)
    os.dup2(sink, sys.stdout.fileno())
    os.dup2(sink, sys.stderr.fileno())
