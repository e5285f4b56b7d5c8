"""Run a command as one noted task: ``python -m apps.timed_command STAGE -- CMD``.

A bash app's body only returns its command line; this notes how long the command ran.
"""

import signal
import subprocess
import sys
import time
from types import FrameType

from apps.roles import TRAIN
from apps.task_log import note


def main(arguments: list[str]) -> int:
    """Run the command after ``--``, pass SIGTERM on, return its exit status."""
    stage, _, *command = arguments
    began = time.time()
    process = subprocess.Popen(command)

    def forward(signum: int, _frame: FrameType | None) -> None:
        process.send_signal(signum)

    signal.signal(signal.SIGTERM, forward)
    status = process.wait()
    note("train_model", TRAIN, stage, began, status == 0)
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
