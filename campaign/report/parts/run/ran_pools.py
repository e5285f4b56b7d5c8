"""What the workers of each pool did: how many were there, how many busy with what."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from campaign.report.parts.run.ran_lanes import Lane, make_lanes
from campaign.report.parts.run.ran_steps import Steps, add
from campaign.watching.blocks import BlockLife, list_blocks
from campaign.watching.history import History
from campaign.watching.hours import Shares
from campaign.watching.timeline import DriverClock, Interval, Task


@dataclass(frozen=True)
class Pool:
    """Workers that serve the same roles; times in the driver's, s.

    Attributes
    ----------
    there : workers that were there
    busy : stage -> workers that had a task of it
    noted : whether the driver noted its blocks; if not, a worker is there from its
        first to its last task
    """

    name: str
    roles: list[str]
    there: Steps
    busy: dict[str, Steps]
    lanes: list[Lane]
    blocks: list[BlockLife]
    noted: bool

    @cached_property
    def all_busy(self) -> Steps:
        """Workers that had any task."""
        return add(self.busy.values())


@dataclass(frozen=True)
class WorkerTime:
    """Workers' time in some windows, s."""

    there: float
    busy: float

    @property
    def idle_share(self) -> float | None:
        """Share of it that no task filled, None where no worker was there."""
        return None if self.there <= 0 else max(0.0, 1.0 - self.busy / self.there)


def read_pools(
    history: History,
    starts: Sequence[Interval],
    shares: Shares | None,
    in_driver: Collection[str] = (),
) -> list[Pool]:
    """Return the pools of a run, those with most work first.

    Parameters
    ----------
    in_driver : stages that no worker has part in
    """
    clock = DriverClock(starts)
    blocks = list_blocks(history.events, starts)
    name_of = pool_names({b.executor for b in blocks}, shares)
    tasks: dict[str, list[Task]] = {name_of(b.executor): [] for b in blocks}
    for task in history.tasks:
        if task.stage not in in_driver:
            began, ended = clock.read(task.started), clock.read(task.ended)
            tasks.setdefault(name_of(task.role), []).append(
                replace(task, started=began, ended=ended)
            )
    pools = [
        _pool(name, done, [b for b in blocks if name_of(b.executor) == name], clock)
        for name, done in tasks.items()
    ]
    return sorted(pools, key=lambda p: -p.all_busy.total)


def pool_names(executors: set[str], shares: Shares | None) -> Callable[[str], str]:
    """Return what tells the pool of a role, or of an executor's label.

    A label is one of its roles. Where the site keeps the roles to itself and there
    is one executor, all are its.
    """

    def name_of(role: str) -> str:
        if shares is not None:
            return shares.pool_of(role) or role
        return next(iter(executors)) if len(executors) == 1 else role

    return name_of


def time_of(pools: Sequence[Pool], windows: Sequence[Interval]) -> WorkerTime:
    """Return the workers' time in disjoint windows of the driver's time."""
    spans = [(pool, window) for pool in pools for window in windows]
    return WorkerTime(
        sum(pool.there.between(*window) for pool, window in spans),
        sum(pool.all_busy.between(*window) for pool, window in spans),
    )


def _pool(
    name: str, tasks: list[Task], blocks: list[BlockLife], clock: DriverClock
) -> Pool:
    stages = dict.fromkeys(t.stage for t in tasks)
    busy = {
        stage: Steps.of((t.started, t.ended, 1.0) for t in tasks if t.stage == stage)
        for stage in stages
    }
    noted = Steps.of(
        (clock.read(s.begin), clock.read(s.end), float(s.workers))
        for block in blocks
        for s in block.stretches
        if not s.lost
    )
    lanes = make_lanes(tasks, noted)
    # workers are noted some seconds late: one is there from its first task on
    there = Steps.of((a, b, 1.0) for lane in lanes for a, b in lane.lives)
    roles = sorted({t.role for t in tasks} | {b.executor for b in blocks})
    return Pool(name, roles, there, busy, lanes, blocks, bool(blocks))
