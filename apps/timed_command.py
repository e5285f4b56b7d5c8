"""Run a command as one noted task: ``python -m apps.timed_command STAGE PID -- CMD``.

A bash app's body only returns its command line; this notes how long the command ran.
It also ends the command when the worker PID is gone: a worker that is killed leaves
its shell behind, and a retry must not train beside the orphan.
"""

import signal
import subprocess
import sys
import time
from types import FrameType

import psutil

from apps.roles import TRAIN
from apps.task_log import note

_POLL_S = 1.0


def main(arguments: list[str]) -> int:
    """Run the command after ``--``, pass SIGTERM on, return its exit status."""
    stage, worker, _, *command = arguments
    began = time.time()
    process = subprocess.Popen(command)

    def forward(signum: int, _frame: FrameType | None) -> None:
        process.send_signal(signum)

    signal.signal(signal.SIGTERM, forward)
    status = _wait(process, int(worker))
    note("train_model", TRAIN, stage, began, status == 0)
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
