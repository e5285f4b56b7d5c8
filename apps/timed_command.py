"""Run a long command as one noted task of a bash app, and know how it ended.

``python -m apps.timed_command STAGE PID UNFINISHED -- CMD``. A bash app's body only
returns its command line; this notes how long the command ran. It also ends the command
when the worker PID is gone: a worker that is killed leaves its shell behind, and a
retry must not train beside the orphan. A command that ends well, or on SIGTERM, but
leaves the file UNFINISHED is to be started again: the status is then 3. So is one that
would begin when its batch job is about to end.
"""

import signal
import subprocess
import sys
import time
from pathlib import Path
from types import FrameType

import psutil

from apps.roles import TRAIN
from apps.science.errors import StoppedError
from apps.science.stopping import MARGIN_S, UNFINISHED, drain_pool, seconds_left
from apps.task_log import note, refuse_if_stopped

_POLL_S = 1.0
_STOPPED = 4
"""Exit status where the run was asked to stop before the command began."""


def main(arguments: list[str]) -> int:
    """Run the command after ``--``, pass SIGTERM on, return how it ended."""
    stage, worker, unfinished, _, *command = arguments
    try:
        refuse_if_stopped()
    except StoppedError as error:
        sys.stderr.write(f"{error}\n")
        return _STOPPED
    if seconds_left() < MARGIN_S:
        drain_pool()
        return UNFINISHED
    began, told = time.time(), False
    process = subprocess.Popen(command)

    def forward(signum: int, _frame: FrameType | None) -> None:
        nonlocal told
        told = True
        process.send_signal(signum)

    signal.signal(signal.SIGTERM, forward)
    status = _wait(process, int(worker))
    if (status == 0 or told) and Path(unfinished).exists():
        status = UNFINISHED
        if seconds_left() < MARGIN_S:
            drain_pool()
    note("train_model", TRAIN, stage, began, status in (0, UNFINISHED))
    return status


def _wait(process: "subprocess.Popen[bytes]", worker: int) -> int:
    while True:
        try:
            return process.wait(timeout=_POLL_S)
        except subprocess.TimeoutExpired:
            if not psutil.pid_exists(worker):
                process.terminate()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
