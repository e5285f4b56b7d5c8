"""In the driver: a run that a full disk ends says that, in one sentence."""

import logging
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from apps.science.disk import describe_full, find_full, folder_has_room
from apps.science.errors import (
    ConfigError,
    DiskFullError,
    RunLockedError,
    StoppedError,
)
from campaign.layout.run_dir import RunDir
from campaign.telling.own_command import as_typed


@contextmanager
def saying_full_disk(paths: RunDir) -> Iterator[None]:
    """Turn whatever a full disk made of a run into one error; keep all else quiet.

    On a full disk every line that is logged fails, in threads too, and each would
    leave a traceback on the terminal.

    Raises
    ------
    DiskFullError
        With what is full, and the command that goes on.
    """
    with _quiet():
        try:
            yield
        except (StoppedError, ConfigError, RunLockedError):
            raise
        except Exception as error:
            said = _say(error, paths)
            if said is None:
                raise
            raise DiskFullError(
                f"{said} Nothing that is finished is lost; with room again: "
                f"weft resume {as_typed(paths.root)}"
            ) from None


def _say(error: BaseException, paths: RunDir) -> str | None:
    found = find_full(error)
    if isinstance(found, DiskFullError):
        return str(found)
    if isinstance(found, OSError) and found.filename:
        return describe_full(Path(str(found.filename)), found.errno)
    # what a disk that is full did to Parsl's processes has many names
    if found is not None or (paths.root.is_dir() and not folder_has_room(paths.root)):
        return describe_full(paths.root)
    return None


@contextmanager
def _quiet() -> Iterator[None]:
    """Print no traceback of a thread or a log line that met a full disk."""
    raises, in_thread = logging.raiseExceptions, threading.excepthook
    lost = sys.unraisablehook

    def of_thread(args: Any) -> None:
        if find_full(args.exc_value) is None:
            in_thread(args)

    def of_nobody(args: Any) -> None:
        if find_full(args.exc_value) is None:
            lost(args)

    logging.raiseExceptions = False
    threading.excepthook, sys.unraisablehook = of_thread, of_nobody
    try:
        yield
    finally:
        logging.raiseExceptions = raises
        threading.excepthook, sys.unraisablehook = in_thread, lost
