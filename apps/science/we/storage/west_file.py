"""WESTPA's data manager, writing west.h5 so that no write fails unnoticed.

WESTPA keeps west.h5 open through the run and HDF5 writes it piece by piece; on a full
disk pieces are lost in silence, and closing it may crash. Here a lost piece raises at
the next ``flush_backing``, before an iteration counts as closed.
"""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from westpa.core.data_manager import WESTDataManager

from apps.science.checked_file import CheckedFile
from apps.science.errors import RunLockedError


class CheckedDataManager(WESTDataManager):  # type: ignore[misc]
    """Reads back what was written each time it is flushed or closed."""

    _checked: CheckedFile | None = None

    def open_backing(self, mode: str | None = None) -> None:
        """Open west.h5, which exists."""
        if not self.we_h5file:
            with self._through(new=False):
                super().open_backing(mode)

    def prepare_backing(self) -> None:
        """Create west.h5."""
        with self._through(new=True):
            super().prepare_backing()

    def flush_backing(self) -> None:
        """Write what is still held, and check all that was written since.

        Raises
        ------
        DiskFullError
            If the disk is full.
        DataError
            If the file does not hold what was written.
        """
        super().flush_backing()
        self.check()

    def close_backing(self) -> None:
        """Close west.h5 and check it as ``flush_backing`` does."""
        super().close_backing()
        checked, self._checked = self._checked, None
        if checked is None:
            return
        try:
            checked.sync()
            checked.check()
        finally:
            checked.close()

    def abandon(self) -> None:
        """Close the file if it is still open, whatever became of it."""
        if self._checked is not None:
            with contextlib.suppress(Exception):
                super().close_backing()
            self.we_h5file = None
            self._checked.close()
            self._checked = None

    def check(self) -> None:
        """Raise what a write has met with; see ``flush_backing``."""
        if self._checked is not None:
            self._checked.check()

    @property
    def failed(self) -> bool:
        """Whether a write failed."""
        return self._checked is not None and self._checked.failed

    @contextlib.contextmanager
    def _through(self, *, new: bool) -> Iterator[None]:
        """Let WESTPA open the file by what checks it instead of by its name."""
        name: Any = self.we_h5filename  # type: ignore[has-type]
        checked = CheckedFile(Path(name), new=new)
        self._checked, self.we_h5filename = checked, checked
        try:
            if not checked.lock():
                raise RunLockedError(
                    f"Another program has {name} open. Close it, or let it end; then "
                    "resume. (Programs that only look should open it with "
                    "locking=False.)"
                )
            yield
        except BaseException:
            self._checked = None
            checked.close()
            raise
        finally:
            self.we_h5filename = name
