"""Start a driver that goes on when its terminal is closed."""

import subprocess
import time
from pathlib import Path

from apps.science.errors import StageError
from campaign.layout import RunDir
from campaign.own_command import resume_command

_SETTLE_S = 2.0
"""A driver that is going to refuse does so within this."""


def start_detached(run_dir: Path) -> int:
    """Start ``weft resume`` in a session of its own; return its process id.

    What it prints goes to driver.out in the run folder.

    Raises
    ------
    StageError
        If it ends at once.
    """
    paths = RunDir(run_dir.absolute())
    with paths.driver_out.open("a", encoding="utf-8") as out:
        driver = subprocess.Popen(
            resume_command(paths.root),
            stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True,
        )  # fmt: skip
    end = time.monotonic() + _SETTLE_S
    while time.monotonic() < end:
        if driver.poll() not in (None, 0):
            said = paths.driver_out.read_text(encoding="utf-8").splitlines()[-5:]
            raise StageError(
                f"The driver ended at once with status {driver.returncode}:\n"
                + "\n".join(said)
            )
        time.sleep(0.05)
    return driver.pid
