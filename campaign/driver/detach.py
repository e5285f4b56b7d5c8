"""Start a driver that goes on when its terminal is closed."""

import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

from apps.science.errors import ConfigError, StageError
from campaign.layout.run_dir import RunDir
from campaign.telling.own_command import resume_command
from campaign.watching.notes import now_file
from campaign.watching.status import read_driver

LOCK_S = 300.0
"""Imports from a slow file system may take minutes."""
PARSL_S = 60.0


def start_detached(run_dir: Path, options: Sequence[str] = ()) -> int | None:
    """Start ``weft resume`` in a session of its own; return once it is at work.

    What it prints goes to driver.out in the run folder.

    Returns
    -------
    Its process id; None if it has ended well already, since nothing was left to do.

    Raises
    ------
    ConfigError, StageError
        If it ends otherwise, with what it said and the exit status it had.
    """
    paths = RunDir(run_dir.absolute())
    with paths.driver_out.open("a", encoding="utf-8") as out:
        said_before = out.tell()
        began = time.time()
        driver = subprocess.Popen(
            resume_command(paths.root, options),
            stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True,
        )  # fmt: skip
    end = time.monotonic() + LOCK_S
    locked = False
    while time.monotonic() < end:
        status = driver.poll()
        if status is not None:
            _refuse(status, _read_from(paths.driver_out, said_before))
            return None
        if locked and _is_newer(now_file(paths), began):
            break
        if not locked and read_driver(paths).get("pid") == driver.pid:
            locked = True
            # it says what goes on once Parsl has started, as its last step
            end = time.monotonic() + PARSL_S
        time.sleep(0.05)
    return driver.pid


def _refuse(status: int, said: str) -> None:
    """Say what the driver said, to end with its exit status."""
    if status == 0:
        return
    _, named, sentence = f"\n{said}".rpartition("\nweft: ")
    words = sentence.strip() if named else "\n".join(said.splitlines()[-5:])
    if not words:
        words = f"The driver ended at once with status {status} and said nothing."
    raise (ConfigError if status == 2 else StageError)(words)


def _read_from(path: Path, begin: int) -> str:
    with path.open("rb") as out:
        out.seek(begin)
        return out.read().decode("utf-8", "replace")


def _is_newer(path: Path, when: float) -> bool:
    try:
        return path.stat().st_mtime >= when
    except FileNotFoundError:
        return False
