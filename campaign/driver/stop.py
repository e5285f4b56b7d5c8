"""Ask a running driver to finish what its tasks are doing and leave."""

import json
import os
import signal
import time
from pathlib import Path

from apps.science.errors import ConfigError
from apps.science.files import write_text
from campaign.layout.run_dir import RunDir
from campaign.telling.own_command import as_typed
from campaign.watching.status import driver_alive, read_driver, read_status


def ask_to_stop(run_dir: Path) -> RunDir:
    """Leave the request; the driver and its tasks see it, on whatever host.

    No further task begins, those begun end as usual, and a training leaves a
    checkpoint.

    Raises
    ------
    ConfigError
        If ``run_dir`` is no run folder or no driver works on it.
    """
    state = read_status(run_dir)["state"]
    paths = RunDir(run_dir.absolute())
    if state == "queued":
        job = json.loads(paths.driver_job.read_text(encoding="utf-8"))
        raise ConfigError(
            f"The driver of {run_dir} has not begun: it waits as {job['scheduler']} "
            f"job {job['job_id']}. Cancel that job, or wait."
        )
    if state == "done":
        raise ConfigError(f"{run_dir} is done already. There is nothing to stop.")
    if state != "running":
        raise ConfigError(
            f"No driver works on {run_dir}: it is {state}. Continue it with: "
            f"weft resume {as_typed(run_dir)}"
        )
    write_text(paths.stop, "asked by weft stop\n")
    return paths


def interrupt(paths: RunDir) -> None:
    """End the driver at once, as Ctrl-C does; what tasks were doing is cut off.

    Raises
    ------
    ConfigError
        If it runs on another host.
    """
    driver = read_driver(paths)
    if driver["host"] != os.uname().nodename:
        raise ConfigError(f"The driver runs on {driver['host']}. Use --now there.")
    os.kill(int(driver["pid"]), signal.SIGINT)


def wait_until_left(paths: RunDir, patience_s: float) -> bool:
    """Wait for the driver to leave; return whether it did."""
    end = time.monotonic() + patience_s
    while driver_alive(paths):
        if time.monotonic() > end:
            return False
        time.sleep(0.2)
    return True
