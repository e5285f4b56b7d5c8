"""Find and end what a killed driver left running, and only that.

Every process of a run inherits the variable WEFT_RUN_DIR; after a SIGKILL Parsl's
interchange and workers live on with it. Nothing without this run's folder in its
environment is touched. Batch jobs, which may run elsewhere, are found by their notes.
"""

import logging
import os
from pathlib import Path

import psutil

from apps.science.stopping import RUN_DIR_VARIABLE
from site_configs.pools.batch_jobs import JOBS_FILE, cancel_jobs

log = logging.getLogger(__name__)


def find_leftovers(run_dir: Path) -> list[psutil.Process]:
    """Return living processes of this run other than this one and its parents."""
    mine = {os.getpid(), *(p.pid for p in psutil.Process().parents())}
    here = run_dir.resolve()
    found = []
    for process in psutil.process_iter():
        try:
            named = process.environ().get(RUN_DIR_VARIABLE)
        except (psutil.Error, OSError):
            continue
        if named is None or process.pid in mine:
            continue
        # a link may have led the one or the other there
        if named == str(run_dir) or Path(named).resolve() == here:
            found.append(process)
    return found


def reap(run_dir: Path, patience_s: float = 3.0) -> int:
    """End this run's batch jobs and leftover processes; return how many there were.

    Blocks are cancelled first, so that the scheduler ends its processes in order.
    """
    jobs = cancel_jobs(run_dir / JOBS_FILE, run_dir / "parsl")
    leftovers = find_leftovers(run_dir)
    for process in leftovers:
        _signal(process, kill=False)
    _, stubborn = psutil.wait_procs(leftovers, timeout=patience_s)
    for process in stubborn:
        _signal(process, kill=True)
    psutil.wait_procs(stubborn, timeout=patience_s)
    if leftovers:
        log.info("ended %d leftover processes", len(leftovers))
    return len(leftovers) + len(jobs)


def _signal(process: psutil.Process, *, kill: bool) -> None:
    try:
        process.kill() if kill else process.terminate()
    except psutil.Error:
        log.debug("process %d was gone already", process.pid)
