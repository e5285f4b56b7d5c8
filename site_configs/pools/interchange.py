"""Parsl's interchange, made to end with the driver that started it.

Run as a script. Parsl's own outlives a driver killed by SIGKILL, and keeps its
workers and batch jobs busy with tasks that nobody waits for. This one ends within
seconds of its parent; its workers follow when their heartbeats go unanswered. It is in
a session of its own: Ctrl-C, a terminal's end and a signal to the driver's group are
for the driver, which shuts it down in order.
"""

import os
import runpy
import signal
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path

from site_configs.pools.any_folder import find_certificates_in_any_folder

POLL_SECONDS = 1.0


def interchange_command(environment: Mapping[str, str]) -> list[str]:
    """Return the command that starts this, with variables to find leftovers by."""
    variables = [f"{name}={value}" for name, value in environment.items()]
    # Parsl changes the process's title, which would overwrite the variables
    variables.append("SPT_NOENV=1")
    return ["env", *variables, sys.executable, "-P", str(Path(__file__).resolve())]


def _end_with(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(POLL_SECONDS)
    os.kill(os.getpid(), signal.SIGKILL)


def main() -> None:
    """Watch the parent, then be the interchange."""
    os.setsid()
    parent = os.getppid()
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()
    find_certificates_in_any_folder()
    runpy.run_module("parsl.executors.high_throughput.interchange", run_name="__main__")


if __name__ == "__main__":
    main()
