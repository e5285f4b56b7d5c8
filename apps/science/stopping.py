"""When long work must end early: a person asked for it, or the batch job ends soon.

Work that takes long asks ``must_end`` now and then, leaves a checkpoint and returns.
"""

import math
import os
import time
from pathlib import Path

RUN_DIR_VARIABLE = "WEFT_RUN_DIR"
BLOCK_ENDS_VARIABLE = "WEFT_BLOCK_ENDS"
"""Set where a batch job starts: its end in seconds since the epoch."""

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
