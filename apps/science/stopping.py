"""When long work must end early: a person asked for it, or the batch job ends soon.

Work that takes long asks ``must_end`` now and then, leaves a checkpoint and returns.
"""

import math
import os
import signal
import time
from contextlib import suppress
from pathlib import Path

from apps.science.errors import BlockEndsError, BlockTooLongError

RUN_DIR_VARIABLE = "WEFT_RUN_DIR"
BLOCK_ENDS_VARIABLE = "WEFT_BLOCK_ENDS"
"""Set where a batch job starts: its end in seconds since the epoch."""

POOL_VARIABLE = "WEFT_POOL_PID"
"""Process that hands this worker its tasks; told so, it takes no more of them."""
DRAIN_SIGNAL = signal.SIGUSR1

STOP_FILE = "stop"
MARGIN_S = 30.0
"""Time to write a checkpoint and leave before a batch job is ended."""

UNFINISHED = 3
"""Exit status of a command that left a checkpoint: start it again to go on."""


def stop_asked() -> bool:
    """Tell whether somebody asked this run to stop."""
    run_dir = os.environ.get(RUN_DIR_VARIABLE)
    return bool(run_dir) and (Path(str(run_dir)) / STOP_FILE).exists()


def seconds_left() -> float:
    """Return how long this batch job lasts yet; infinite where there is none."""
    ends = os.environ.get(BLOCK_ENDS_VARIABLE)
    return float(ends) - time.time() if ends else math.inf


def must_end() -> bool:
    """Tell whether to leave a checkpoint now and return."""
    return seconds_left() < MARGIN_S or stop_asked()


def begin_only_if_it_ends(needed_s: float, what: str, *, divisible: bool) -> None:
    """Begin nothing that this batch job's end would cut.

    Parameters
    ----------
    needed_s : how long the work is expected to take, s; 0 where nobody knows
    what : the work, for the message
    divisible : whether a part of it could be done instead; if not, the pool of this
        worker takes no more tasks, and the batch job ends

    Raises
    ------
    BlockTooLongError
        If too little time is left, and the work is divisible.
    BlockEndsError
        If it is not; the next batch job will take it.
    """
    left = seconds_left()
    if left > needed_s:
        return
    said = f"{what} takes about {needed_s:.0f} s; its batch job ends in {left:.0f} s."
    if divisible:
        raise BlockTooLongError(said)
    drain_pool()
    raise BlockEndsError(said)


def drain_pool() -> None:
    """Let this worker's pool take no more tasks, and its batch job end."""
    pool = os.environ.get(POOL_VARIABLE)
    if pool:
        with suppress(ProcessLookupError):
            os.kill(int(pool), DRAIN_SIGNAL)
