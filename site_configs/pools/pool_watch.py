"""In a pool of workers: leave when a part of it is gone, and end workers that hang.

A pool of Parsl's answers heartbeats whatever else of it has died. Once it cannot work
it is better gone: its tasks then count as lost, and are tried again on another.
"""

import gc
import json
import multiprocessing
import os
import signal
import socket
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil

from site_configs.pools.stuck_workers import HUNG_VARIABLE, Stuck, StuckWorkers

LEFT_STATUS = 75
NOTES_FOLDER = "monitoring/pools"
"""In the run folder, one file per pool, which the driver reads."""
RUN_DIR_VARIABLE = "WEFT_RUN_DIR"
"""As in apps.science.stopping, which site_configs does not import."""

ASKED_S = 3.0
DIES_S = 10.0
"""A killed process that lives on so long hangs in the kernel, on a file system say."""

_THREADS = {
    "Interchange-Communicator", "Result-Shovel", "worker-watchdog",
    "Monitoring-Handler",
}  # fmt: skip
_WORKER = "HTEX-Worker-"


def leave() -> None:
    """End this pool and all that it started, at once."""
    for child in psutil.Process().children(recursive=True):
        child.kill()
    os._exit(LEFT_STATUS)


def find_manager() -> Any:
    """Return Parsl's manager of this pool, a local of the module that runs as main."""
    for found in gc.get_objects():
        if type(found).__name__ == "Manager" and hasattr(found, "drain_time"):
            return found
    return None


def watch_pool() -> None:
    """Watch this pool for as long as it lives, in a thread of its own."""
    watch = _PoolWatch(StuckWorkers(float(os.environ.get(HUNG_VARIABLE, "0"))))
    threading.Thread(target=watch.run, name="pool-watch", daemon=True).start()


class _PoolWatch:
    def __init__(self, stuck: StuckWorkers) -> None:
        self.stuck = stuck
        self._told: set[tuple[int, str, bool]] = set()

    def run(self) -> None:
        manager = None
        while manager is None or not _running_threads() >= _THREADS:
            time.sleep(1.0)
            manager = manager or find_manager()
        while not manager._stop_event.wait(self.stuck.look_every_s):
            lost = _find_lost(manager)
            if lost and not manager._stop_event.wait(1.0):
                self._note({"event": "pool_left", "why": lost})
                leave()
            try:
                workers = _workers_of(manager)
            except (EOFError, OSError):
                continue  # SyncManager ended since it was looked at: said next time
            for found in self.stuck.look(workers):
                self._end(found)

    def _end(self, found: Stuck) -> None:
        key = (found.pid, found.why, found.over)
        if key not in self._told:
            self._told.add(key)
            self._note({
                "event": "worker_stuck", "pid": found.pid, "why": found.why,
                "seconds": round(found.seconds, 1), "over": found.over,
            })  # fmt: skip
        if not found.over:
            return
        try:
            process = psutil.Process(found.pid)
            doomed = [process, *process.children(recursive=True)]
        except psutil.Error:
            return
        # SIGKILL would read as the system's short of memory; a stopped one must hear
        if _signal(doomed, (signal.SIGTERM, signal.SIGCONT), ASKED_S):
            return
        if not _signal(doomed, (signal.SIGKILL,), DIES_S):
            self._note({"event": "pool_left", "why": "a worker cannot be ended"})
            leave()

    def _note(self, what: dict[str, Any]) -> None:
        """Write a line for the driver; where that fails the work goes on."""
        host = socket.gethostname()
        line = {"time": time.time(), "host": host} | what
        print(json.dumps(line), flush=True)  # noqa: T201 - kept with the block's output
        run_dir = os.environ.get(RUN_DIR_VARIABLE)
        if not run_dir or not Path(run_dir).exists():
            return
        try:
            folder = Path(run_dir) / NOTES_FOLDER
            folder.mkdir(parents=True, exist_ok=True)
            with (folder / f"{host}-{os.getpid()}.jsonl").open("a") as out:
                out.write(json.dumps(line) + "\n")
        except OSError:
            return


def _signal(
    processes: list[psutil.Process], signals: tuple[int, ...], patience_s: float
) -> bool:
    """Send signals to all; return whether they are dead within ``patience_s``."""
    for number in signals:
        for process in processes:
            with suppress(psutil.Error):
                process.send_signal(number)
    end = time.monotonic() + patience_s
    while not all(map(_is_dead, processes)):
        if time.monotonic() > end:
            return False
        time.sleep(0.1)
    return True


def _is_dead(process: psutil.Process) -> bool:
    # waiting for it would take its end away from Parsl, which then thinks it lives
    try:
        return bool(process.status() == psutil.STATUS_ZOMBIE)
    except psutil.Error:
        return True


def _running_threads() -> set[str]:
    return {thread.name for thread in threading.enumerate()}


def _find_lost(manager: Any) -> str | None:
    """Return what a pool cannot work without and has lost."""
    shared = manager._mp_manager._process
    if not shared.is_alive():
        return "its process SyncManager ended"
    if psutil.Process(shared.pid).status() == psutil.STATUS_STOPPED:
        return "its process SyncManager is stopped"
    if gone := _THREADS - _running_threads():
        return f"its thread {min(gone)} ended"
    return None


def _workers_of(manager: Any) -> dict[int, tuple[psutil.Process, object]]:
    """Return the workers by number: process and task, None where it has none.

    Raises
    ------
    EOFError, OSError
        If the process that keeps their tasks does not answer.
    """
    tasks = {worker: task["task_id"] for worker, task in _tasks(manager).items()}
    found = {}
    for child in multiprocessing.active_children():
        number = child.name.removeprefix(_WORKER)
        if child.name.startswith(_WORKER) and child.pid is not None:
            try:
                process = psutil.Process(child.pid)
            except psutil.Error:
                continue
            found[int(number)] = (process, tasks.get(int(number)))
    return found


def _tasks(manager: Any) -> dict[int, Any]:
    tasks: dict[int, Any] = manager._tasks_in_progress.copy()
    return tasks
