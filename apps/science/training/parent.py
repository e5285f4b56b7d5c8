"""A process that ends when the one that started it is killed."""

import os
import signal
import threading
import time
from collections.abc import Mapping
from typing import Final

PARENT_VARIABLE: Final = "WEFT_PARENT_PID"
_POLL_S: Final = 0.5


def name_parent() -> dict[str, str]:
    """Return the variable by which a child knows this process."""
    return {PARENT_VARIABLE: str(os.getpid())}


def end_with_parent(environ: Mapping[str, str] = os.environ) -> None:
    """End this process, at once, when the parent that its environment names is gone.

    Its place may be taken by a new start, which must not train beside it.
    """
    parent = environ.get(PARENT_VARIABLE)
    if parent:
        watch = threading.Thread(target=_end_with, args=(int(parent),), daemon=True)
        watch.start()


def _end_with(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(_POLL_S)
    os.kill(os.getpid(), signal.SIGKILL)
