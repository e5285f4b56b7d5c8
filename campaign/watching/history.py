"""Everything that a run has noted as lines: tasks, events; kept between two looks."""

from typing import Any

from campaign.layout.run_dir import RunDir
from campaign.watching.notes import events_file
from campaign.watching.tail import Tail
from campaign.watching.timeline import Task, task_of_line


class History:
    """What workers and drivers of a run have noted so far."""

    def __init__(self, paths: RunDir) -> None:
        self.tasks: list[Task] = []
        self.events: list[dict[str, Any]] = []
        self._tasks = Tail(paths.tasks, "*.jsonl")
        events = events_file(paths)
        self._events = Tail(events.parent, events.name)

    def look(self) -> None:
        """Read what is new; tasks stay sorted by their start."""
        new = [task_of_line(line) for line in self._tasks.new_lines()]
        if new:
            self.tasks += [task for task in new if task is not None]
            self.tasks.sort(key=lambda t: (t.started, t.worker))
        self.events += [
            e
            for e in self._events.new_lines()
            if isinstance(e.get("time"), int | float) and "event" in e
        ]
