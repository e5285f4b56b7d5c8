"""A file that HDF5 writes through: no write fails unnoticed, and all is read back.

HDF5 2.0 swallows ENOSPC where h5py lets a dataset go, and may crash when a file is
closed on a full disk. So writes are made here: the first that fails is kept, HDF5
never sees it, and ``check`` raises it. A checksum of every piece written is kept as
well and compared with what the file holds afterwards.
"""

import bisect
import errno
import fcntl
import os
import zlib
from pathlib import Path
from typing import Any

from apps.science.disk import describe_full, is_disk_full
from apps.science.errors import DataError, DiskFullError

_KEPT_BYTES = 1 << 26
"""What could not be written is still read by HDF5; more than this is forgotten."""


class CheckedFile:
    """What ``h5py.File`` takes in place of a path.

    Parameters
    ----------
    path : the file, created where ``new``
    shown : the name in messages, such as the one it gets when whole
    """

    def __init__(self, path: Path, *, new: bool, shown: Path | None = None) -> None:
        flags = os.O_RDWR | os.O_CLOEXEC
        if new:
            flags |= os.O_CREAT | os.O_TRUNC
        self.path, self.shown = path, shown or path
        self._error: OSError | None = None
        self._unwritten: list[tuple[int, bytes]] = []
        self._extents = _Extents()
        self._at = 0
        try:
            self._fd = os.open(path, flags, 0o666)
        except OSError as error:
            if is_disk_full(error):
                raise DiskFullError(describe_full(self.shown, error.errno)) from None
            raise
        self._size = os.fstat(self._fd).st_size

    def lock(self) -> bool:
        """Take the lock that HDF5 takes; tell whether another program has it.

        File systems without locks have none to take.
        """
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError:
            return True
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Move to ``offset``."""
        self._at = offset + (self._size if whence == os.SEEK_END else 0)
        return self._at

    def tell(self) -> int:
        """Return where the next read or write begins."""
        return self._at

    def read(self, n_bytes: int = -1) -> bytes:
        """Read as files do."""
        n_bytes = self._size - self._at if n_bytes < 0 else n_bytes
        held = bytearray(max(0, min(n_bytes, self._size - self._at)))
        self.readinto(held)
        return bytes(held)

    def readinto(self, out: Any) -> int:
        """Fill ``out``; beyond the end of the file with zeros."""
        view = memoryview(out).cast("B")
        done = _pread_into(self._fd, view, self._at)
        view[done:] = bytes(len(view) - done)
        for offset, data in self._unwritten:
            first = max(offset, self._at)
            last = min(offset + len(data), self._at + len(view))
            if first < last:
                part = data[first - offset : last - offset]
                view[first - self._at : last - self._at] = part
        self._at += len(view)
        return len(view)

    def write(self, data: Any) -> int:
        """Write all of ``data``; a failure is kept for ``check`` to raise."""
        view = memoryview(data).cast("B")
        start, n_bytes = self._at, len(view)
        self._at += n_bytes
        self._size = max(self._size, self._at)
        if self._error is None:
            try:
                self._extents.add(self._fd, start, view)
                _pwrite_all(self._fd, view, start)
                return n_bytes
            except OSError as error:
                self._error = error
        if sum(len(kept) for _, kept in self._unwritten) + n_bytes < _KEPT_BYTES:
            self._unwritten.append((start, bytes(view)))
        return n_bytes

    def truncate(self, size: int | None = None) -> int:
        """Set the size of the file."""
        size = self._at if size is None else size
        self._size = size
        if self._error is None:
            try:
                os.ftruncate(self._fd, size)
                self._extents.cut(self._fd, size)
            except OSError as error:
                self._error = error
        return size

    def flush(self) -> None:
        """Do nothing: every write is made at once."""

    def check(self) -> None:
        """Compare what was written since the last check with what the file holds.

        Raises
        ------
        DiskFullError
            If a write failed for want of room.
        DataError
            If one failed for another reason, or the file does not hold what was
            written.
        """
        if self._error is None:
            wrong = self._extents.find_wrong(self._fd)
            if wrong is not None:
                raise DataError(
                    f"{self.shown} does not hold what was written to it: its bytes "
                    f"from {wrong} on were read back otherwise, but no write failed. "
                    "Look at that disk, or use another one, and resume."
                )
            return
        if is_disk_full(self._error):
            said = describe_full(self.shown, self._error.errno)
            raise DiskFullError(said) from None
        raise DataError(
            f"{self.shown} could not be written: {self._error.strerror}. Look at that "
            "disk, or use another one, and resume."
        )

    @property
    def failed(self) -> bool:
        """Whether a write failed."""
        return self._error is not None

    def sync(self) -> None:
        """Force the file to disk, where quotas of network file systems are told."""
        if self._error is None:
            try:
                os.fsync(self._fd)
            except OSError as error:
                self._error = error

    def close(self) -> None:
        """Close the file; nothing is checked."""
        # forgotten first: an interrupt in between must not close another's file later
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)


class _Extents:
    """Checksums of the pieces that were written and not yet checked, in order."""

    def __init__(self) -> None:
        self._starts: list[int] = []
        self._pieces: dict[int, tuple[int, int]] = {}

    def add(self, fd: int, start: int, view: memoryview) -> None:
        """Note a piece that is about to be written at ``start``."""
        self._forget(fd, start, start + len(view))
        self._note(start, view)

    def cut(self, fd: int, size: int) -> None:
        """Forget what lies beyond the end of the file."""
        if self._starts:
            last = self._starts[-1]
            self._forget(fd, size, max(size, last + self._pieces[last][0]))

    def find_wrong(self, fd: int) -> int | None:
        """Return where the file differs from what was written; forget the rest."""
        for start in self._starts:
            n_bytes, found = self._pieces[start]
            if zlib.crc32(_pread(fd, start, n_bytes)) != found:
                return start
        self._starts.clear()
        self._pieces.clear()
        return None

    def _note(self, start: int, view: Any) -> None:
        if len(view):
            bisect.insort(self._starts, start)
            self._pieces[start] = (len(view), zlib.crc32(view))

    def _forget(self, fd: int, start: int, end: int) -> None:
        """Forget the bytes ``start`` to ``end``; keep what lies beside them."""
        first = max(0, bisect.bisect_right(self._starts, start) - 1)
        last = bisect.bisect_left(self._starts, end)
        for old in self._starts[first:last]:
            n_bytes, found = self._pieces[old]
            if old + n_bytes <= start:
                continue
            self._starts.remove(old)
            del self._pieces[old]
            if old >= start and old + n_bytes <= end:
                continue
            held = _pread(fd, old, n_bytes)
            if zlib.crc32(held) != found:
                raise OSError(errno.EIO, f"what was written at {old} is not there")
            self._note(old, held[: max(0, start - old)])
            if old + n_bytes > end:
                self._note(end, held[end - old :])


def _pwrite_all(fd: int, view: memoryview, start: int) -> None:
    done = 0
    while done < len(view):
        # a disk that fills takes a part, and says so at the next call
        done += os.pwrite(fd, view[done:], start + done)


def _pread_into(fd: int, view: memoryview, start: int) -> int:
    done = 0
    while done < len(view):
        n_bytes = os.preadv(fd, [view[done:]], start + done)
        if n_bytes == 0:
            break
        done += n_bytes
    return done


def _pread(fd: int, start: int, n_bytes: int) -> bytearray:
    held = bytearray(n_bytes)
    return held[: _pread_into(fd, memoryview(held), start)]
