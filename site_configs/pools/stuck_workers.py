"""On the node: which workers of a pool stand still, judged by their processes.

How long a task takes says nothing. A worker stands still when it, or a process that it
started, is stopped; or when, given a task, all of them together use next to no
processor time and read and write nothing for very long.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass

import psutil

HUNG_VARIABLE = "WEFT_HUNG_SECONDS"
"""Time without a move that a worker at work is given, s; 0: for ever."""

STOPPED_S = 60.0
"""Time that a stopped process is given to be continued, s."""

LEAST_SHARE = 0.005
"""Of one core: waiting loops use less, and whatever computes uses more."""

_STOPPED = {psutil.STATUS_STOPPED, psutil.STATUS_TRACING_STOP}


@dataclass(frozen=True)
class Stuck:
    """A worker that stands still for ``seconds``; its time is ``over`` or not yet."""

    worker: int
    pid: int
    why: str
    seconds: float
    over: bool


@dataclass
class _Seen:
    """A worker as it was when it moved last, and since when a process is stopped."""

    task: object
    pids: frozenset[int]
    cpu_s: float
    n_bytes: int
    moved: float
    stopped: float | None = None


class StuckWorkers:
    """Looks at the workers of one pool again and again.

    Parameters
    ----------
    hung_s
        Time without a move that a worker at work is given; 0: for ever.
    """

    def __init__(self, hung_s: float) -> None:
        self.hung_s = hung_s
        self.stopped_s = min(STOPPED_S, hung_s) if hung_s else STOPPED_S
        self.look_every_s = min(5.0, self.stopped_s / 4)
        self._seen: dict[int, _Seen] = {}

    def look(self, workers: Mapping[int, tuple[psutil.Process, object]]) -> list[Stuck]:
        """Return the workers that stand still, from half of their time on.

        Parameters
        ----------
        workers
            By their numbers in the pool: process, and what tells its task from the
            next one, None where it has none.
        """
        found = []
        for worker, (process, task) in workers.items():
            try:
                stuck = self._judge(worker, process, task)
            except psutil.Error:  # it has just ended
                self._seen.pop(worker, None)
                continue
            if stuck is not None:
                found.append(stuck)
        return found

    def _judge(
        self, worker: int, process: psutil.Process, task: object
    ) -> Stuck | None:
        now = time.monotonic()
        tree = [process, *process.children(recursive=True)]
        states = [p.status() for p in tree]
        pids = frozenset(p.pid for p in tree)
        cpu_s, n_bytes = sum(map(_cpu_s, tree)), sum(map(_n_bytes, tree))
        seen = self._seen.get(worker)
        if (
            seen is None
            or (task, pids) != (seen.task, seen.pids)
            or psutil.STATUS_RUNNING in states
            or n_bytes != seen.n_bytes
            or cpu_s - seen.cpu_s > LEAST_SHARE * max(1.0, now - seen.moved)
        ):
            stopped = None if seen is None else seen.stopped
            seen = _Seen(task, pids, cpu_s, n_bytes, now, stopped)
            self._seen[worker] = seen
        if not _STOPPED & set(states):
            seen.stopped = None
        elif seen.stopped is None:
            seen.stopped = now
        if seen.stopped is not None:
            why, for_s, limit_s = "is stopped", now - seen.stopped, self.stopped_s
        elif task is not None and self.hung_s:
            why, for_s = "neither computes nor reads nor writes", now - seen.moved
            limit_s = self.hung_s
        else:
            return None
        if for_s < limit_s / 2:
            return None
        return Stuck(worker, process.pid, why, for_s, for_s >= limit_s)


def _cpu_s(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


def _n_bytes(process: psutil.Process) -> int:
    """Return what a process read and wrote, caches included; 0 where nobody counts."""
    try:
        counted = process.io_counters()
        return int(counted.read_chars + counted.write_chars)
    except (AttributeError, NotImplementedError, psutil.AccessDenied, OSError):
        return 0
