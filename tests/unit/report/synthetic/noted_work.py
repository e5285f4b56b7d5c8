"""The notes that drivers and workers leave of their work: ledger, tasks, events."""

import json
from pathlib import Path
from typing import Any

START = 1_780_000_000.0
"""Seconds since the epoch; all times are counted from here."""


class NotedWork:
    """Collects notes, times in seconds since ``START``; ``write`` leaves them all."""

    def __init__(self) -> None:
        self._ledger: list[dict[str, Any]] = []
        self._events: list[dict[str, Any]] = []
        self._tasks: dict[tuple[str, int], list[dict[str, Any]]] = {}

    def note(
        self, at: float, event: str, stage: str | None = None, **more: Any
    ) -> None:
        """Note a line of the ledger."""
        line = {"time": START + at, "event": event, "stage": stage}
        self._ledger.append(line | more)

    def stage(self, name: str, begin: float, end: float) -> None:
        """Note a stage that was begun and done."""
        self.note(begin, "started", name)
        self.note(end, "done", name, seconds=end - begin, outputs={})

    def task(
        self, pid: int, app: str, stage: str, begin: float, end: float, *,
        role: str = "md", host: str = "node", ok: bool = True,
    ) -> None:  # fmt: skip
        """Note a task body that ended."""
        self._tasks.setdefault((host, pid), []).append({
            "app": app, "role": role, "stage": stage, "host": host, "pid": pid,
            "started": START + begin, "ended": START + end, "ok": ok,
        })  # fmt: skip

    def block(
        self, at: float, state: str, workers: int, executor: str = "md",
        block: str = "0", **more: Any,
    ) -> None:  # fmt: skip
        """Note a block that changed."""
        self._events.append({
            "time": START + at, "event": "block", "executor": executor,
            "block": block, "state": state, "workers": workers, **more,
        })  # fmt: skip

    def failed_try(self, at: float, stage: str, kind: str, error: str) -> None:
        """Note a failed try of a task."""
        self._events.append({
            "time": START + at, "event": "try_failed", "stage": stage, "kind": kind,
            "again": kind != "error", "error": error,
        })  # fmt: skip

    def write(self, root: Path) -> None:
        """Write ledger.jsonl, monitoring/ and tasks/."""
        files = {
            "ledger.jsonl": self._ledger,
            "monitoring/events.jsonl": self._events,
            **{f"tasks/{h}-{p}.jsonl": done for (h, p), done in self._tasks.items()},
        }
        for name, lines in files.items():
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            ordered = sorted(lines, key=lambda x: x.get("time", x.get("started")))
            path.write_text("".join(json.dumps(line) + "\n" for line in ordered))
