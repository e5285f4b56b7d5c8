"""What each worker did and when: task intervals, busy time, orchestration share.

Reads only JSON lines, so ``weft status`` may import it.
"""

import itertools
import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Interval = tuple[float, float]


@dataclass(frozen=True)
class Task:
    """One finished task body; times in seconds since the epoch."""

    app: str
    role: str
    stage: str
    host: str
    pid: int
    started: float
    ended: float
    ok: bool

    @property
    def worker(self) -> str:
        """The process that ran it."""
        return f"{self.host}:{self.pid}"


@dataclass(frozen=True)
class StageIdle:
    """How well the workers of one stage were used.

    Attributes
    ----------
    stage : name of the stage
    seconds : from its first task to its last, pauses between two starts left out
    busy_seconds : per worker, the union of its tasks of this stage
    idle_share : share of the workers' time in that span that no task filled
    """

    stage: str
    seconds: float
    busy_seconds: dict[str, float]
    idle_share: float


class DriverClock:
    """Time as the drivers lived it: pauses between two starts are cut out."""

    def __init__(self, starts: Sequence[Interval]) -> None:
        self.starts = list(starts)
        lengths = [end - begin for begin, end in self.starts]
        self.offsets = [0.0, *itertools.accumulate(lengths)]

    def read(self, when: float) -> float:
        """Return seconds of driver time at ``when``."""
        for (begin, end), offset in zip(self.starts, self.offsets, strict=False):
            if when <= end:
                return offset + max(0.0, when - begin)
        return self.offsets[-1]

    def count(self, when: float) -> int:
        """Return which start ``when`` belongs to."""
        return sum(begin <= when for begin, _ in self.starts)

    @property
    def resumes(self) -> list[float]:
        """When a later start took over."""
        return self.offsets[1:-1]


def task_of_line(line: dict[str, Any]) -> Task | None:
    """Return the task that a line of a worker notes, None if it is not whole."""
    try:
        return Task(
            str(line["app"]), str(line["role"]), str(line["stage"]),
            str(line["host"]), int(line["pid"]), float(line["started"]),
            float(line["ended"]), bool(line.get("ok", True)),
        )  # fmt: skip
    except (KeyError, TypeError, ValueError):
        return None


def read_tasks(run_dir: Path) -> list[Task]:
    """Return every task body noted under ``tasks/``, by start; torn lines are left."""
    tasks = []
    for path in sorted((run_dir / "tasks").glob("*.jsonl")):
        for line in _json_lines(path):
            task = task_of_line(line)
            if task is not None:
                tasks.append(task)
    return sorted(tasks, key=lambda t: (t.started, t.worker))


def read_starts(
    run_dir: Path, now: float | None = None, tasks: Sequence[Task] | None = None
) -> list[Interval]:
    """Return when a driver lived: from each run_started to its end.

    A start without a run_ended (the driver was killed, or lives still) is taken to
    end with the last thing noted before the next start. A living driver's newest
    task bodies are noted only when they end, so counting up to the clock would call
    a long training step orchestration; pass ``now`` to do so all the same. Pass
    ``tasks`` where they have been read.
    """
    tasks = read_tasks(run_dir) if tasks is None else tasks
    lines = list(_json_lines(run_dir / "ledger.jsonl"))
    lines = [e for e in lines if isinstance(e.get("time"), int | float)]
    begins = [float(e["time"]) for e in lines if e.get("event") == "run_started"]
    noted = [float(e["time"]) for e in lines] + [t.ended for t in tasks]
    starts = []
    for index, begin in enumerate(begins):
        newest = index + 1 == len(begins)
        limit = float("inf") if newest else begins[index + 1]
        ends = [
            float(e["time"])
            for e in lines
            if e.get("event") == "run_ended" and begin <= e["time"] < limit
        ]
        if ends:
            end = ends[-1]
        elif newest and now is not None:
            end = now
        else:
            end = max((t for t in noted if begin <= t < limit), default=begin)
        starts.append((begin, max(begin, end)))
    return starts


def orchestration_share(
    run_dir: Path, now: float | None = None, tasks: Sequence[Task] | None = None
) -> float | None:
    """Return the share of the driver's wall time in which no task body ran.

    1 - |union of task intervals| / sum of the driver's wall times, in 0..1; None
    before anything was started.
    """
    tasks = read_tasks(run_dir) if tasks is None else tasks
    starts = read_starts(run_dir, now, tasks)
    wall = sum(end - begin for begin, end in starts)
    if wall <= 0:
        return None
    busy = merge([(t.started, t.ended) for t in tasks])
    inside = sum(length(clip(busy, begin, end)) for begin, end in starts)
    return max(0.0, 1.0 - inside / wall)


def wall_seconds(run_dir: Path, now: float | None = None) -> float:
    """Return how long drivers of this run lived, all starts together."""
    return sum(end - begin for begin, end in read_starts(run_dir, now))


def idle_by_stage(
    tasks: Iterable[Task], starts: Iterable[Interval] = ()
) -> list[StageIdle]:
    """Return, per stage in order of its first task, how idle its workers were.

    The workers of a stage are those that ran a task of it; a worker busy with another
    stage meanwhile (ingestion runs beside sampling) is not idle. With ``starts``, each
    start of a driver is looked at by itself and the times are added.
    """
    windows = list(starts) or [(float("-inf"), float("inf"))]
    found: dict[str, list[Task]] = defaultdict(list)
    by_worker: dict[str, list[Interval]] = defaultdict(list)
    for task in sorted(tasks, key=lambda t: t.started):
        found[task.stage].append(task)
        by_worker[task.worker].append((task.started, task.ended))
    filled = {worker: merge(spans) for worker, spans in by_worker.items()}
    result = []
    for stage, members in found.items():
        seconds = available = used = 0.0
        own: dict[str, float] = {}
        for index, (begin, _) in enumerate(windows):
            limit = windows[index + 1][0] if index + 1 < len(windows) else float("inf")
            part = [t for t in members if begin <= t.started < limit]
            if not part:
                continue
            span = (part[0].started, max(t.ended for t in part))
            workers = {t.worker for t in part}
            seconds += span[1] - span[0]
            available += (span[1] - span[0]) * len(workers)
            for worker in workers:
                used += length(clip(filled[worker], *span))
                mine = merge((t.started, t.ended) for t in part if t.worker == worker)
                own[worker] = own.get(worker, 0.0) + length(mine)
        idle = max(0.0, 1.0 - used / available) if available > 0 else 0.0
        result.append(StageIdle(stage, seconds, own, idle))
    return result


def merge(intervals: Iterable[Interval]) -> list[Interval]:
    """Return the union of intervals as disjoint ones, sorted."""
    union: list[Interval] = []
    for begin, end in sorted(i for i in intervals if i[1] > i[0]):
        if union and begin <= union[-1][1]:
            union[-1] = (union[-1][0], max(union[-1][1], end))
        else:
            union.append((begin, end))
    return union


def clip(intervals: Iterable[Interval], begin: float, end: float) -> list[Interval]:
    """Return the parts of the intervals that lie within [begin, end]."""
    cut = ((max(a, begin), min(b, end)) for a, b in intervals)
    return [(a, b) for a, b in cut if b > a]


def length(disjoint: Iterable[Interval]) -> float:
    """Return the total length of disjoint intervals."""
    return sum(end - begin for begin, end in disjoint)


def _json_lines(path: Path) -> Iterable[dict[str, Any]]:
    if not path.exists():
        return
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            value = json.loads(line)
        except json.JSONDecodeError:
            continue
        if isinstance(value, dict):
            yield value
