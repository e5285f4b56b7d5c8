"""A driver that runs as a batch job itself leaves before that job ends."""

import logging
import math
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from apps.science.files import write_text
from apps.science.stopping import seconds_left
from campaign.layout.run_dir import RunDir

log = logging.getLogger(__name__)

LEAVE_S = 90.0
"""Time for tasks to finish, and for a training to leave a checkpoint."""


@contextmanager
def leaving_in_time(paths: RunDir) -> Iterator[None]:
    """While entered, ask the run to stop, as ``weft stop`` does, in time."""
    left = seconds_left()
    if math.isinf(left):
        yield
        return

    def ask() -> None:
        log.warning(
            "the driver's batch job ends in %.0f s: stopping; go on with weft resume",
            seconds_left(),
        )
        with suppress(OSError):  # a full disk, or a run folder that is gone
            write_text(paths.stop, "the driver's batch job ends\n")

    timer = threading.Timer(max(0.0, left - LEAVE_S), ask)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
