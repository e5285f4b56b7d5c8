"""The living driver touches a file, so that other hosts see that it lives."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

EVERY_S = 10.0
SILENT_S = 60.0
"""A driver on another host that has been silent for so long is taken for dead."""


@contextmanager
def beating(path: Path) -> Iterator[None]:
    """Touch ``path`` now and then for as long as this is entered."""
    ended = threading.Event()
    path.touch()

    def beat() -> None:
        while not ended.wait(EVERY_S):
            with suppress(OSError):  # a full disk, or a folder that is gone
                path.touch()

    thread = threading.Thread(target=beat, name="heartbeat", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
        path.unlink(missing_ok=True)


def beats(path: Path) -> bool:
    """Tell whether ``path`` was touched of late."""
    try:
        return time.time() - path.stat().st_mtime < SILENT_S
    except FileNotFoundError:
        return False
