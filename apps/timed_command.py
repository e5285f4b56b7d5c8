"""Run a long command as one noted task, and say in words how it ended.

``run_command`` is for the worker. It starts ``python -m apps.timed_command STAGE
UNFINISHED -- CMD``, which notes how long the command ran, and which ends it when the
worker is gone: a retry must not run beside the orphan. A command that ends well, or on
SIGTERM, but leaves the file UNFINISHED is to be started again: the status is then 3. So
is one that would begin when its batch job is about to end.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from types import FrameType
from typing import Final

from apps.roles import TRAIN
from apps.science.errors import (
    CommandError,
    KilledError,
    LeftUnfinishedError,
    StoppedError,
)
from apps.science.exit_status import ended_from_outside, plain_status, say_status
from apps.science.learning.meeting import PYTHON
from apps.science.learning.parent import PARENT_VARIABLE, name_parent
from apps.science.stopping import MARGIN_S, UNFINISHED, drain_pool, seconds_left
from apps.task_log import STOPPED_BEFORE, note, refuse_if_stopped

_POLL_S = 1.0
_STOPPED = 4
"""Exit status where the run was asked to stop before the command began."""
_QUOTED_LINES: Final = 8
_QUOTED_BYTES: Final = 20_000


def run_command(
    what: str, command: Sequence[str], unfinished: Path, log_file: Path, stage: str
) -> None:
    """Run ``command`` to its end; what it says is appended to ``log_file``.

    Parameters
    ----------
    what : the work, for messages: "training"
    unfinished : a file that the command leaves where it is to be started again

    Raises
    ------
    LeftUnfinishedError
        If it left early, with a checkpoint.
    KilledError
        If it was ended from outside.
    CommandError
        If it failed; the message quotes its last lines, as that of a killed one does.
    StoppedError
        If the run was asked to stop before the command began.
    """
    timed = [*PYTHON, "apps.timed_command", stage, str(unfinished), "--"]
    log_file.parent.mkdir(parents=True, exist_ok=True)
    with log_file.open("ab") as log:
        began_at = log.tell()
        status = subprocess.run(
            [*timed, *command], stdout=log, stderr=log, stdin=subprocess.DEVNULL,
            env=os.environ | name_parent(), check=False,
        ).returncode  # fmt: skip
    if status == UNFINISHED:
        raise LeftUnfinishedError(f"The {what} left a checkpoint to go on from.")
    if status == _STOPPED:
        raise StoppedError(STOPPED_BEFORE)
    if status:
        kind = KilledError if ended_from_outside(status) else CommandError
        said = _quote(log_file, began_at)
        raise kind(f"The {what} {say_status(status)}. {said}")


def _quote(log_file: Path, began_at: int) -> str:
    """Return the last lines that a log was given since ``began_at``, for a message."""
    with log_file.open("rb") as log:
        log.seek(max(began_at, log.seek(0, os.SEEK_END) - _QUOTED_BYTES))
        lines = log.read().decode("utf-8", errors="replace").split("\n")
    said = [line.rstrip() for line in lines if line.strip()][-_QUOTED_LINES:]
    if not said:
        return f"It said nothing in {log_file}."
    return "\n    ".join([f"The last lines of {log_file}:", *said])


def main(arguments: list[str]) -> int:
    """Run the command after ``--``, pass SIGTERM on, return how it ended."""
    stage, unfinished, _, *command = arguments
    try:
        refuse_if_stopped()
    except StoppedError as error:
        sys.stderr.write(f"{error}\n")
        return _STOPPED
    if seconds_left() < MARGIN_S:
        drain_pool()
        return UNFINISHED
    began, told = time.time(), False
    worker = int(os.environ.get(PARENT_VARIABLE, os.getppid()))
    process = subprocess.Popen(command, env=os.environ | name_parent())

    def forward(signum: int, _frame: FrameType | None) -> None:
        nonlocal told
        told = True
        process.send_signal(signum)

    signal.signal(signal.SIGTERM, forward)
    status = plain_status(_wait(process, worker))
    if (status in (0, UNFINISHED) or told) and Path(unfinished).exists():
        status = UNFINISHED
        if seconds_left() < MARGIN_S:
            drain_pool()
    note("train_model", TRAIN, stage, began, status in (0, UNFINISHED))
    return status


def _wait(process: "subprocess.Popen[bytes]", worker: int) -> int:
    """Wait for the command; let it leave, then end it, when the worker is gone."""
    left_at: float | None = None
    while True:
        try:
            return process.wait(timeout=_POLL_S)
        except subprocess.TimeoutExpired:
            if os.getppid() == worker:
                continue
            if left_at is None:
                left_at = time.monotonic()
                process.terminate()
            elif time.monotonic() - left_at > 2 * MARGIN_S:
                process.kill()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
