"""Room on a disk: how much there is, and the sentence for when it is used up."""

import errno
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from apps.science.errors import DiskFullError, list_causes

FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
"""EFBIG is the limit of one file's size (ulimit -f): it cuts a file in the same way."""
_SAYS_FULL = tuple(os.strerror(number).lower() for number in sorted(FULL))
_ASK_QUOTA_S = 5.0
_KIB = 1024


def free_bytes(path: Path) -> int:
    """Return how many bytes this user may still write below ``path``.

    The least of what the file system says is free to users and, where the commands
    ``quota`` or ``lfs`` (Lustre) are there and answer within five seconds, what the
    user's quota leaves. ``path`` itself need not exist yet.

    Raises
    ------
    OSError
        If the file system cannot be asked.
    """
    there = _existing(path)
    held = os.statvfs(there)
    room = held.f_bavail * held.f_frsize
    return min([room, *_left_by_quota(there)])


def is_disk_full(error: BaseException | None) -> bool:
    """Tell whether an error, or what it came from, is that a disk is full."""
    return find_full(error) is not None


def find_full(error: BaseException | None) -> BaseException | None:
    """Return the error, of those that it came from, which says that a disk is full.

    Libraries hand the system's words on inside errors of their own, so these count;
    an error that knows the file is preferred. None where none is.
    """
    found: BaseException | None = None
    for one in list_causes(error):
        if isinstance(one, DiskFullError):
            return one
        if isinstance(one, OSError) and one.errno in FULL:
            return one
        # h5py and others put the system's words into theirs
        if any(words in str(one).lower() for words in _SAYS_FULL):
            found = found or one
    return found


def describe_full(path: Path, number: int | None = errno.ENOSPC) -> str:
    """Return the sentence that says which disk is full, and how full.

    Parameters
    ----------
    path : what was being written
    number : the system's error number
    """
    try:
        kind, mount = _file_system(path)
        where = f"on the {kind} file system at {mount}, "
        where += f"where {say_bytes(free_bytes(path))} are free to you"
    except OSError:
        where = "on a file system that does not answer"
    what = "The disk is full"
    if number == errno.EDQUOT:
        what = "The disk is full for you (your quota is used up)"
    elif number == errno.EFBIG:
        what = "The disk is full for this file (the limit of a file's size, ulimit -f)"
    return f"{what}: {path} could not be written. It lies {where}."


@contextmanager
def saying_full(path: Path) -> Iterator[None]:
    """Turn the system's error that a disk is full into a sentence about ``path``.

    Raises
    ------
    DiskFullError
    """
    try:
        yield
    except DiskFullError:
        raise
    except Exception as error:
        if not is_disk_full(error):
            raise
        number = error.errno if isinstance(error, OSError) else errno.ENOSPC
        raise DiskFullError(describe_full(path, number)) from None


def has_room(path: Path, n_bytes: int = 1 << 16) -> bool:
    """Tell whether a file can grow by ``n_bytes``; it is left as it was.

    For files that a library writes which does not hand the system's errors on.
    """
    try:
        with path.open("ab") as handle:
            size = handle.tell()
            try:
                handle.write(bytes(n_bytes))
                handle.flush()
                os.fsync(handle.fileno())
            finally:
                os.truncate(path, size)
    except OSError as error:
        return not is_disk_full(error)
    return True


def folder_has_room(folder: Path, n_bytes: int = 1 << 16) -> bool:
    """Tell whether a file of ``n_bytes`` can be made in a folder."""
    probe = folder / f".room.{os.getpid()}"
    try:
        with probe.open("wb") as handle:
            handle.write(bytes(n_bytes))
            handle.flush()
            os.fsync(handle.fileno())
    except OSError as error:
        return not is_disk_full(error)
    finally:
        with suppress(OSError):
            probe.unlink(missing_ok=True)
    return True


def _existing(path: Path) -> Path:
    path = path.absolute()
    while not path.exists() and path != path.parent:
        path = path.parent
    return path


def name_file_system(path: Path) -> str:
    """Return kind and place of the file system of ``path``, such as "nfs4 at /home"."""
    kind, mount = _file_system(path)
    return f"{kind} at {mount}"


def _file_system(path: Path) -> tuple[str, str]:
    """Return the kind and the mount point of the file system that ``path`` is on."""
    _, mount, kind = _mount(_existing(path))
    return kind, mount


def _mount(there: Path) -> tuple[str, str, str]:
    """Return device, mount point and kind of what an existing path lies on."""
    import psutil

    there = there.resolve()
    best = ("", "/", "unknown")
    for part in psutil.disk_partitions(all=True):
        if there.is_relative_to(part.mountpoint) and (
            len(part.mountpoint) >= len(best[1])  # the last one mounted there is seen
        ):
            best = (part.device, part.mountpoint, part.fstype)
    return best


def _left_by_quota(there: Path) -> list[int]:
    """Return what quotas leave the user, bytes; nothing where none is known."""
    device, mount, kind = _mount(there)
    if kind == "lustre":
        command = ["lfs", "quota", "-q", "-u", str(os.getuid()), mount]
    else:
        command = ["quota", "--no-wrap", "--raw-grace", "--show-mntpoint"]
    if shutil.which(command[0]) is None:
        return []
    try:
        said = subprocess.run(
            command, capture_output=True, text=True, timeout=_ASK_QUOTA_S, check=False,
            stdin=subprocess.DEVNULL,
        ).stdout  # fmt: skip
    except (OSError, subprocess.TimeoutExpired):
        return []
    return parse_quota(said, {device, mount})


def parse_quota(said: str, names: set[str]) -> list[int]:
    """Return the bytes that each line of ``quota`` or ``lfs quota`` leaves.

    Parameters
    ----------
    names : only lines that begin with one of these (a device or a mount point) count
    """
    left = []
    for line in said.splitlines():
        words = line.split()
        if not words or words[0] not in names:
            continue
        numbers = [w.rstrip("*") for w in words if w.rstrip("*").isdigit()]
        if len(numbers) >= 3:  # used, quota, limit: KiB
            used, soft, hard = (int(n) * _KIB for n in numbers[:3])
            limit = hard or soft
            if limit:
                left.append(max(0, limit - used))
    return left


def say_bytes(n_bytes: float) -> str:
    """Return a number of bytes as a person says it: "1.53 GB"."""
    size, unit = float(n_bytes), "bytes"
    for unit in ("bytes", "kB", "MB", "GB", "TB"):
        if size < 1000 or unit == "TB":
            break
        size /= 1000
    return f"{size:.3g} {unit}"
