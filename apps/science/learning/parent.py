"""A process that ends when the one that started it is killed."""

import os
import shutil
import signal
import threading
import time
from collections.abc import Mapping
from typing import Final

from apps.science.learning.meeting import MEETING_VARIABLE

PARENT_VARIABLE: Final = "WEFT_PARENT_PID"
_POLL_S: Final = 0.5


def name_parent() -> dict[str, str]:
    """Return the variable by which a child knows this process."""
    return {PARENT_VARIABLE: str(os.getpid())}


def end_with_parent(environ: Mapping[str, str] = os.environ) -> None:
    """End this process, at once, when the parent that its environment names is gone.

    Its place may be taken by a new start, which must not train beside it. The folder
    of their meeting goes too, by which other nodes see that this one has ended.
    """
    parent = environ.get(PARENT_VARIABLE)
    if parent:
        meeting = environ.get(MEETING_VARIABLE)
        watched = (int(parent), meeting)
        threading.Thread(target=_end_with, args=watched, daemon=True).start()


def _end_with(parent: int, meeting: str | None) -> None:
    while os.getppid() == parent:
        time.sleep(_POLL_S)
    if meeting is not None:
        shutil.rmtree(meeting, ignore_errors=True)
    os.kill(os.getpid(), signal.SIGKILL)
