"""What a run used and lost, read once from what its drivers and workers noted.

Hours, blocks, tries and task times are those that ``weft status`` tells.
"""

from functools import cached_property
from typing import Any

from campaign.report.kit.sources import RunSource
from campaign.report.parts.run.ran_pools import Pool, pool_names, read_pools
from campaign.watching.blocks import BlockLife
from campaign.watching.history import History
from campaign.watching.hours import Shares, add_hours, read_shares
from campaign.watching.notes import events_file
from campaign.watching.pools import count_tries
from campaign.watching.task_times import describe_tasks
from campaign.watching.timeline import (
    DriverClock,
    Interval,
    Task,
    merge,
    orchestration_share,
    read_starts,
)

Hours = dict[str, float | None]
"""As ``add_hours`` gives them: core, gpu, core_held, gpu_held."""


class RunAccount:
    """The work of a run: its tasks, workers, blocks and failed tries."""

    def __init__(self, source: RunSource) -> None:
        self.source = source
        self.history = History(source.paths)
        self.history.look()
        root = source.paths.root
        self.starts = read_starts(root, tasks=self.history.tasks)
        self.clock = DriverClock(self.starts)
        self.shares: Shares | None = read_shares(source.paths.site)

    @property
    def whole_s(self) -> float:
        """How long drivers lived, all together."""
        return self.clock.offsets[-1]

    @cached_property
    def pools(self) -> list[Pool]:
        """The workers."""
        in_driver = self.source.declared.in_driver
        return read_pools(self.history, self.starts, self.shares, in_driver)

    @cached_property
    def blocks(self) -> list[BlockLife]:
        """Every block of every pool."""
        return [block for pool in self.pools for block in pool.blocks]

    @cached_property
    def stages(self) -> list[str]:
        """Every stage with a task, those of the ledger first."""
        worked = [s for pool in self.pools for s in pool.busy]
        named = [s for s in self.source.stages if s in worked]
        return list(dict.fromkeys([*named, *worked]))

    @cached_property
    def windows(self) -> dict[str, list[Interval]]:
        """When each stage was at work, in the driver's time."""
        read = self.clock.read
        return {
            stage: merge(
                (read(a.started), read(a.ended))
                for a in self.source.attempts
                if a.stage == stage
            )
            for stage in self.stages
        }

    @cached_property
    def tasks(self) -> dict[str, list[Task]]:
        """Task bodies that ended on workers, by stage."""
        found: dict[str, list[Task]] = {}
        for task in self.history.tasks:
            if task.stage not in self.source.declared.in_driver:
                found.setdefault(task.stage, []).append(task)
        return found

    @cached_property
    def task_times(self) -> dict[str, dict[str, Any]]:
        """Number, failures, median and 95th percentile of the tasks of each stage."""
        return describe_tasks([t for some in self.tasks.values() for t in some], [])

    @cached_property
    def tries(self) -> dict[str, dict[str, int]] | None:
        """Failed tries under "all" and by stage."""
        noted = events_file(self.source.paths).exists()
        return count_tries(self.history.events, noted)

    @cached_property
    def orchestration(self) -> float | None:
        """Share of the time in which no task was at work."""
        return orchestration_share(self.source.paths.root, tasks=self.history.tasks)

    @cached_property
    def hours(self) -> Hours | None:
        """Hours of the whole run, None where the site does not tell."""
        return self._hours(self.history.tasks, self.history.events)

    @cached_property
    def hours_of_stage(self) -> dict[str, Hours]:
        """Hours of each stage's tasks, empty where the site does not tell."""
        found = {stage: self._hours(some, []) for stage, some in self.tasks.items()}
        return {stage: hours for stage, hours in found.items() if hours}

    @cached_property
    def hours_of_pool(self) -> dict[str, Hours]:
        """Hours that each pool's workers were held, empty as above."""
        name_of = pool_names(set(), self.shares)
        found: dict[str, Hours] = {}
        for pool in self.pools:
            events = [
                e
                for e in self.history.events
                if e["event"] == "block" and name_of(e["executor"]) == pool.name
            ]
            if hours := self._hours([], events):
                found[pool.name] = hours
        return found

    def _hours(self, tasks: list[Task], events: list[dict[str, Any]]) -> Hours | None:
        if self.shares is None:
            return None
        return add_hours(self.shares, tasks, [], events, self.starts, 0.0)
