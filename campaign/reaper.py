"""Find and end what a killed driver left running, and only that.

Every process of a run inherits the variable WEFT_RUN_DIR; after a SIGKILL Parsl's
interchange and workers live on with it. Nothing without this run's folder in its
environment is touched.
"""

import logging
import os
from pathlib import Path

import psutil

from apps.task_log import RUN_DIR_VARIABLE

log = logging.getLogger(__name__)


def find_leftovers(run_dir: Path) -> list[psutil.Process]:
    """Return living processes of this run other than this one and its parents."""
    mine = {os.getpid(), *(p.pid for p in psutil.Process().parents())}
    found = []
    for process in psutil.process_iter():
        try:
            belongs = process.environ().get(RUN_DIR_VARIABLE) == str(run_dir)
        except (psutil.Error, OSError):
            continue
        if belongs and process.pid not in mine:
            found.append(process)
    return found


def reap(run_dir: Path, patience_s: float = 3.0) -> int:
    """End this run's leftover processes; return how many there were."""
    leftovers = find_leftovers(run_dir)
    for process in leftovers:
        _signal(process, kill=False)
    _, stubborn = psutil.wait_procs(leftovers, timeout=patience_s)
    for process in stubborn:
        _signal(process, kill=True)
    psutil.wait_procs(stubborn, timeout=patience_s)
    if leftovers:
        log.info("ended %d leftover processes", len(leftovers))
    return len(leftovers)


def _signal(process: psutil.Process, *, kill: bool) -> None:
    try:
        process.kill() if kill else process.terminate()
    except psutil.Error:
        log.debug("process %d was gone already", process.pid)
