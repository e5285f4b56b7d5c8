"""In the driver: end a run whose folder, or a part of Parsl that it needs, is gone."""

import logging
import os
import shlex
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from campaign.ending import SAME_WISH_S, Ending
from campaign.layout.run_dir import RunDir
from site_configs.pools.parsl_parts import find_lost_part

log = logging.getLogger(__name__)

EVERY_S = 1.0
AGAIN_S = 0.5
"""A network file system may lose sight of a folder for a moment."""
BEGIN_ANEW = "Begin anew with: weft run <campaign.yaml>"


@contextmanager
def guarding_parts(dfk: Any, ending: Ending) -> Iterator[None]:
    """End the run when a part of ``dfk``, a loaded DataFlowKernel, is lost."""

    def look() -> None:
        lost = find_lost_part(dfk)
        if lost is not None:
            ending.because(f"{lost}. Without it no task can be given out or come back.")

    with _looking(look, ending, "parts-guard"):
        yield


@contextmanager
def guarding_folder(paths: RunDir, ending: Ending) -> Iterator[Callable[[], None]]:
    """End the run when its folder is moved, deleted or replaced; yield a look at it."""
    folder = RunFolder(paths)

    def look() -> None:
        if folder.say_lost() is None:
            return
        time.sleep(AGAIN_S)
        lost = folder.say_lost()
        if lost is not None:
            ending.folder_gone = True
            ending.because(lost)

    try:
        with _looking(look, ending, "folder-guard"):
            yield look
    finally:
        folder.close()


class RunFolder:
    """The folder of a run as its driver found it, wherever it is now."""

    def __init__(self, paths: RunDir) -> None:
        self.paths = paths
        self._handle = os.open(paths.root, os.O_RDONLY)
        self._was = _identity(os.fstat(self._handle))

    def say_lost(self) -> str | None:
        """Return what became of it and what to do; None where it lies as it did."""
        paths = self.paths
        try:
            if _identity(paths.root.stat()) == self._was:
                if paths.driver.exists() or paths.resolved.exists():
                    return None
                return self._say("was emptied", BEGIN_ANEW)
        except FileNotFoundError:
            pass
        if os.fstat(self._handle).st_nlink == 0:
            return self._say("was deleted", BEGIN_ANEW)
        with suppress(OSError):  # Linux tells where it is now
            now = Path(f"/proc/self/fd/{self._handle}").readlink()
            if now.is_dir() and _identity(now.stat()) == self._was:
                there = f"Continue it there: weft resume {shlex.quote(str(now))}"
                return self._say(f"was moved to {now}", there)
        return self._say(
            "was moved or deleted", "Where it is now, continue it: weft resume <folder>"
        )

    def _say(self, what: str, next_step: str) -> str:
        return (
            f"The run folder {self.paths.root} {what} while its driver was at work. "
            "The driver and its workers end, and nothing is written there anew. "
            f"{next_step}"
        )

    def close(self) -> None:
        """Let go of it."""
        os.close(self._handle)


def _identity(found: os.stat_result) -> tuple[int, int]:
    return found.st_dev, found.st_ino


@contextmanager
def _looking(look: Callable[[], None], ending: Ending, name: str) -> Iterator[None]:
    left = threading.Event()

    def watch() -> None:
        asked_for_s = 0.0
        while not left.wait(EVERY_S):
            try:
                look()
            except Exception:
                log.debug("the %s could not look", name, exc_info=True)
            # code that swallows the interrupt would go on for ever
            asked_for_s = asked_for_s + EVERY_S if ending.asked else 0.0
            if asked_for_s > 2 * SAME_WISH_S:
                asked_for_s = 0.0
                ending.remind()

    thread = threading.Thread(target=watch, name=name, daemon=True)
    thread.start()
    try:
        yield
    finally:
        left.set()
        thread.join(EVERY_S)
