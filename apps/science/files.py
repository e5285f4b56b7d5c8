"""Files appear whole or not at all: temporary name, fsync, rename."""

import filecmp
import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from apps.science.disk import describe_full, has_room, saying_full
from apps.science.errors import DataError, DiskFullError
from apps.science.stopping import RUN_DIR_VARIABLE


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside ``path``; on success fsync and rename it.

    Raises
    ------
    DiskFullError
        If there is no room for the file.
    """
    temporary = path.with_name(f".{path.stem}.{os.getpid()}.tmp{path.suffix}")
    try:
        with saying_full(path):
            make_folder(path.parent)
            yield temporary
            with temporary.open("rb") as handle:
                os.fsync(handle.fileno())
            temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def make_folder(folder: Path) -> Path:
    """Make ``folder`` and those above it, but never the run folder anew.

    Raises
    ------
    FileNotFoundError
        If the folder of the run that this process works for is gone.
    """
    run_dir = os.environ.get(RUN_DIR_VARIABLE)
    if run_dir and folder.is_relative_to(run_dir) and not Path(run_dir).exists():
        raise FileNotFoundError(
            f"The run folder {run_dir} is gone: it was moved or deleted while the run "
            "went on. Nothing is written there anew."
        )
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@contextmanager
def atomic_path_checked(path: Path, is_right: Callable[[Path], bool]) -> Iterator[Path]:
    """Do as ``atomic_path`` for a library that may lose the system's errors.

    Parameters
    ----------
    is_right : reads the file back, before it gets its name

    Raises
    ------
    DiskFullError
        If it is not right, or the library failed, and there is no room.
    DataError
        If it is not right although there is room.
    """
    with atomic_path(path) as temporary:
        try:
            yield temporary
            right = is_right(temporary)
        except Exception:
            if has_room(temporary):
                raise
            right = False
        if right:
            return
        if not has_room(temporary):
            raise DiskFullError(describe_full(path))
        raise DataError(
            f"{path} does not hold what was written to it: it was read back otherwise. "
            "Look at that disk, or use another one, and write it again."
        )


def copy_file(source: Path, target: Path, shown: Path | None = None) -> None:
    """Copy a file's bytes to ``target`` and compare the two.

    Parameters
    ----------
    shown : the name in messages, such as the one that it gets when whole

    Raises
    ------
    DiskFullError
        If there is no room for it.
    DataError
        If the copy is not what was copied.
    """
    with saying_full(shown or target):
        shutil.copyfile(source, target)
    if not filecmp.cmp(source, target, shallow=False):
        raise DataError(
            f"{shown or target} is not what was copied from {source}, although no "
            "write failed. Look at that disk, or use another one, and resume."
        )


def write_text(path: Path, text: str) -> Path:
    """Write ``text`` to ``path`` atomically."""
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
    return path


def read_json(path: Path) -> dict[str, Any] | None:
    """Return a JSON object, which another process may be writing; None without one."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return value if isinstance(value, dict) else None


def write_json(path: Path, value: Any) -> Path:
    """Write ``value`` as indented JSON, atomically."""
    return write_text(path, json.dumps(value, indent=1) + "\n")


def hash_file(path: Path) -> str:
    """Return the sha256 of a file's bytes."""
    digest = hashlib.sha256()
    with path.open("rb") as handle:
        while chunk := handle.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()
