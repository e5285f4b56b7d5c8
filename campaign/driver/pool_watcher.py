"""In the driver: note what Parsl knows of blocks, workers and failed tries.

Parsl keeps all of it in memory and none in a file that is quick to read. A thread asks
every two seconds; failed tries are taken from Parsl's own log records as they appear.
"""

import functools
import inspect
import logging
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from campaign.driver.progress_notes import ProgressNotes
from campaign.layout.run_dir import RunDir
from campaign.watching.notes import (
    ENDED,
    LOST,
    QUEUED,
    RUNNING,
    append_event,
    write_now,
)
from campaign.watching.stuck import STUCK_EVENTS, say_stuck
from campaign.watching.tail import Tail

log = logging.getLogger(__name__)

EVERY_S = 2.0
AT_LEAST_EVERY_S = 10.0
LEAVE_S = 5.0

# A block that ends otherwise than by its walltime or by Parsl's wish is lost.
_STATES = {
    "PENDING": QUEUED, "HELD": QUEUED, "RUNNING": RUNNING,
    "COMPLETED": ENDED, "SCALED_IN": ENDED, "TIMEOUT": ENDED, "CANCELLED": LOST,
    "FAILED": LOST, "MISSING": LOST,
}  # fmt: skip
_LOST = re.compile(r"^(ManagerLost|WorkerLost|KilledError)")
_UNFINISHED = re.compile(r"^(LeftUnfinished|BlockEnds|BlockTooLong)Error")


@contextmanager
def watching_pools(dfk: Any, paths: RunDir) -> Iterator[None]:
    """Note what ``dfk`` (a loaded DataFlowKernel) does, until the end of the block."""
    watcher = PoolWatcher(dfk, paths)
    tries = _FailedTries(dfk, paths)
    logger = logging.getLogger("parsl.dataflow.dflow")
    logger.addHandler(tries)
    left = threading.Event()
    thread = threading.Thread(
        target=watcher.watch, args=(left,), name="pool-watcher", daemon=True
    )
    thread.start()
    try:
        yield
    finally:
        left.set()
        thread.join(LEAVE_S)
        logger.removeHandler(tries)
        with suppress(OSError):  # a full disk, or a run folder that is gone
            watcher.leave()


class PoolWatcher:
    """Looks at the executors of one start; notes what has changed."""

    def __init__(self, dfk: Any, paths: RunDir) -> None:
        self.dfk, self.paths = dfk, paths
        self.progress = ProgressNotes(paths)
        self._blocks: dict[tuple[str, str], tuple[str, int]] = {}
        self._last: dict[str, Any] = {}
        self._written = 0.0
        self._began: dict[tuple[int, int], float] = {}
        self._silent: dict[tuple[str, str], float] = {}
        self._from_pools = Tail(paths.monitoring / "pools", "*.jsonl")
        self._from_pools.new_lines()  # of an earlier start

    def watch(self, left: threading.Event) -> None:
        """Look every ``EVERY_S`` until ``left``; a look that fails ends nothing."""
        while not left.is_set():
            try:
                self.look()
            except Exception:
                log.debug("could not note what the pools do", exc_info=True)
            left.wait(EVERY_S)

    def look(self) -> None:
        """Note what goes on, and every block that changed."""
        pools, running = [], []
        for executor, roles in self._pools():
            pool, tasks = self._pool(executor, roles)
            pools.append(pool)
            running += tasks
        body = {"pools": pools, "running": running}
        late = time.time() - self._written > AT_LEAST_EVERY_S
        if late or body != self._last:
            write_now(self.paths, body)
            self._last, self._written = body, time.time()
        self.progress.look()
        self._hear_pools()

    def leave(self) -> None:
        """Note that the driver gives its blocks back."""
        for (executor, block), (state, _) in self._blocks.items():
            if state in {QUEUED, RUNNING}:
                self._note_block(executor, block, ENDED, 0)
        write_now(self.paths, {"pools": [], "running": []})

    def _hear_pools(self) -> None:
        """Note, and say, what pools of workers noted of themselves."""
        for line in self._from_pools.new_lines():
            if line.get("event") in STUCK_EVENTS:
                append_event(self.paths, **line)
                log.warning("%s", say_stuck(line))

    def _end_if_silent(self, executor: Any, block: str, here: int, state: str) -> None:
        """Give up a block whose pools, once heard of, are not any more.

        A pool that has lost its interchange ends by itself in the time that it takes to
        be taken for lost. One that is stopped, or whose node hangs, keeps its block.
        """
        key = (executor.label, block)
        had = self._blocks.get(key, (QUEUED, 0))[0] == RUNNING
        if here or not had or state != RUNNING:
            self._silent.pop(key, None)
            return
        now = time.monotonic()
        silent_s = now - self._silent.setdefault(key, now)
        job = executor.blocks_to_job_id.get(block)
        if silent_s < executor.heartbeat_threshold or job is None:
            return
        del self._silent[key]
        line = {"executor": executor.label, "block": block, "job_id": job}
        append_event(self.paths, "block_stuck", **line)
        log.warning("%s", say_stuck({"event": "block_stuck"} | line))
        executor.provider.cancel([job])

    def _pools(self) -> list[tuple[Any, list[str]]]:
        """Return the executors that run tasks, each with the roles it serves."""
        pools: dict[int, tuple[Any, list[str]]] = {}
        for label, executor in self.dfk.executors.items():
            if not label.startswith("_"):
                real = getattr(executor, "target", executor)
                pools.setdefault(id(real), (real, []))[1].append(label)
        return list(pools.values())

    def _pool(
        self, executor: Any, roles: list[str]
    ) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        given = [t for t in list(self.dfk.tasks.values()) if t["executor"] in roles]
        launched = [t for t in given if t["status"].name in {"launched", "running"}]
        pool: dict[str, Any] = {"executor": executor.label, "roles": roles}
        blocks = getattr(executor, "status_facade", None)
        if blocks is None or not hasattr(executor, "connected_managers"):
            # Globus Compute and the like do not say what their workers do
            running = launched
            pool |= {"workers": None, "busy": None, "waiting": None}
            pool |= {"given": len(launched), "blocks": None}
        else:
            managers = [m for m in executor.connected_managers() if m["active"]]
            workers: dict[str, int] = {}
            for manager in managers:
                name = str(manager["block_id"])
                workers[name] = workers.get(name, 0) + int(manager["worker_count"])
            busy = sum(min(m["tasks"], m["worker_count"]) for m in managers)
            # the queue is first in, first out
            launched.sort(key=lambda t: t["try_time_launched"] or t["time_invoked"])
            running = launched[:busy]
            pool |= {"workers": sum(workers.values()), "busy": busy}
            pool |= {"waiting": len(launched) - len(running), "given": len(launched)}
            pool["blocks"] = self._look_at_blocks(executor, dict(blocks), workers)
        return pool, [self._task(t, roles) for t in running]

    def _look_at_blocks(
        self, executor: Any, blocks: dict[str, Any], workers: dict[str, int]
    ) -> list[dict[str, Any]]:
        found = []
        for block, status in blocks.items():
            said, here = status.state.name, workers.get(block, 0)
            before = self._blocks.get((executor.label, block), (QUEUED, 0))[0]
            state = _STATES.get(said, before)
            if state in {QUEUED, RUNNING}:
                # the scheduler is asked less often than the workers, and a job that
                # runs has its workers only some seconds later
                state = RUNNING if here or before == RUNNING else QUEUED
            if said == "RUNNING":
                self._end_if_silent(executor, block, here, state)
            self._note_block(
                executor.label, block, state, here,
                job_id=executor.blocks_to_job_id.get(block), said=said,
                message=status.message,
            )  # fmt: skip
            found.append({"block": block, "state": state, "workers": here})
        return found

    def _note_block(
        self, executor: str, block: str, state: str, workers: int, **more: Any
    ) -> None:
        if self._blocks.get((executor, block)) == (state, workers):
            return
        self._blocks[executor, block] = (state, workers)
        more = {k: v for k, v in more.items() if v is not None}
        append_event(
            self.paths, "block", executor=executor, block=block, state=state,
            workers=workers, **more,
        )  # fmt: skip

    def _task(self, record: Any, roles: list[str]) -> dict[str, Any]:
        key = (record["id"], record["try_id"])
        since = self._began.setdefault(key, time.time())
        if len(self._began) > 100_000:
            self._began.clear()
        return {
            "task": record["id"], "try": record["try_id"], "app": record["func_name"],
            "role": record["executor"], "stage": stage_of(record),
            "since": round(since, 1),
        }  # fmt: skip


class _FailedTries(logging.Handler):
    """Notes each try of a task that failed, from Parsl's record of its new state."""

    def __init__(self, dfk: Any, paths: RunDir) -> None:
        super().__init__()
        self.dfk, self.paths = dfk, paths

    def emit(self, record: logging.LogRecord) -> None:
        """Note a task whose new state is one of failure."""
        state = getattr(record, "parsl.task_state", None)
        if state not in {"fail_retryable", "failed"}:
            return
        try:
            task = self.dfk.tasks[getattr(record, "parsl.task")]
            said = (task["fail_history"] or [""])[-1]
            append_event(
                self.paths, "try_failed", task=task["id"], app=task["func_name"],
                role=task["executor"], stage=stage_of(task), kind=kind_of(said),
                again=state == "fail_retryable", error=said[:500],
            )  # fmt: skip
        except Exception:
            log.debug("could not note a failed try", exc_info=True)


def kind_of(error: str) -> str:
    """Return what a failed try was: lost worker, to be continued, or its own error."""
    if _LOST.match(error):
        return "lost"
    return "continued" if _UNFINISHED.match(error) else "error"


def _is_partial(function: Any) -> bool:
    return isinstance(function, functools.partial)


def stage_of(record: Any) -> str:
    """Return the stage that a Parsl task record belongs to, "" where it names none."""
    function = inspect.unwrap(record["func"], stop=_is_partial)
    if isinstance(function, functools.partial) and function.args:
        function = function.args[0]  # a bash app: Parsl's runner of the app's body
    try:
        bound = inspect.signature(function).bind_partial(
            *record["args"], **record["kwargs"]
        )
        bound.apply_defaults()
    except (TypeError, ValueError):
        return str(record["kwargs"].get("stage", ""))
    return str(bound.arguments.get("stage", ""))
