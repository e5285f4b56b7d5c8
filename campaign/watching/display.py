"""The status of a run on a terminal; one line per event where there is none."""

import logging
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from typing import Any

from rich.console import Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from campaign.layout.run_dir import RunDir
from campaign.telling.said import heard_by
from campaign.telling.terminal import make_console
from campaign.telling.words import about
from campaign.watching.sentences import (
    say_blocks,
    say_estimate,
    say_hours,
    say_left,
    say_pool,
    say_running,
    say_tries,
)
from campaign.watching.status import StatusReader

_STYLES = {
    "done": "green", "running": "bold cyan", "failed": "bold red",
    "interrupted": "yellow", "queued": "cyan", "waiting": "dim",
}  # fmt: skip

WIDE = 108
"""Columns from which the times of tasks fit beside the progress."""
NARROW = 80
"""Columns below which a bar does not fit beside the numbers of progress."""


def status_view(status: dict[str, Any], width: int = 120) -> RenderableType:
    """Return the stages, and below them workers, failed tries, hours, time left."""
    return Group(status_table(status, width), _facts(status))


def status_table(status: dict[str, Any], width: int = 120) -> Table:
    """Return the stages of a run with state, time, progress and times of tasks."""
    wide = width >= WIDE
    table = Table(title=f"{status['name']}: {status['state']}", title_justify="left")
    table.add_column("stage", no_wrap=True)
    table.add_column("state", no_wrap=True)
    table.add_column("time", justify="right", no_wrap=True)
    table.add_column("left", justify="right", no_wrap=True)
    table.add_column("progress" if width >= NARROW else "done")
    if wide:
        for heading in ("tasks", "median", "95 %", "idle"):
            table.add_column(heading, justify="right", no_wrap=True)
    for stage in status["stages"]:
        cells = [
            stage["name"],
            Text(stage["state"], style=_STYLES.get(stage["state"], "")),
            _time(stage),
            "" if stage["left_s"] is None else f"~{about(stage['left_s'])}",
            _progress(stage, 12 if wide else 6 if width >= NARROW else 0),
        ]
        table.add_row(*cells, *(_task_cells(stage) if wide else []))
    return table


def _facts(status: dict[str, Any]) -> Table:
    facts = Table.grid(padding=(0, 2, 0, 0))
    facts.add_column(style="dim", no_wrap=True)
    facts.add_column()
    for label, text in say_facts(status):
        facts.add_row(label, text)
    return facts


def say_facts(status: dict[str, Any]) -> list[tuple[str, str]]:
    """Return what is known beside the stages, as labels and sentences."""
    rows = _say_at_work(status)
    for pool in status["pools"] or []:
        rows.append(("workers", f"{', '.join(pool['roles'])}: {say_pool(pool)}"))
    rows += [("now", line) for line in say_running(status["running"])]
    if any((status["failed_tries"] or {}).values()):
        rows.append(("failed tries", say_tries(status["failed_tries"])))
    rows += [("stood still", line) for line in status["stood_still"]]
    if (status["blocks"] or {}).get("lost"):
        rows.append(("blocks", say_blocks(status["blocks"], ("lost", "ended"))))
    if status["jobs_left"]:
        jobs = ", ".join(status["jobs_left"])
        rows.append(
            ("jobs left", f"{jobs} may still be queued or run; a resume cancels them")
        )
    if status["hours"] and status["hours"]["core"]:
        rows.append(("spent", say_hours(status["hours"])))
    if left := say_left(status):
        rows.append(("forecast", left))
    took = {s["name"]: _seconds_of(s, status["time"]) for s in status["stages"]}
    for one in status.get("estimate") or []:
        if words := say_estimate(one, took[one["stage"]]):
            rows.append(("estimate", f"{one['stage']}: {words}"))
    share = status["orchestration_share"]
    if share is not None and status["state"] == "done":
        rows.append(("overhead", f"{share:.0%} of the time outside task bodies"))
    return rows


def _seconds_of(stage: dict[str, Any], now: float) -> float | None:
    if stage["seconds"] is not None:
        return float(stage["seconds"])
    began = stage["started"] if stage["state"] == "running" else None
    return None if began is None else float(now - began)


def _say_at_work(status: dict[str, Any]) -> list[tuple[str, str]]:
    rows = []
    if job := status["driver_job"]:
        waits = f"waits as {job['scheduler']} job {job['job_id']}, since {_when(job)}"
        rows.append(("driver", waits))
    for stage in status["stages"]:
        detail = stage["state"] == "running" and (stage["progress"] or {}).get("detail")
        if detail:
            rows.append((stage["name"], str(detail)))
    return rows


def _when(noted: dict[str, Any]) -> str:
    """Return the day and time at which something was noted."""
    return f"{datetime.fromtimestamp(noted['time']).astimezone():%d %B, %H:%M}"


def _time(stage: dict[str, Any]) -> str:
    if stage["state"] == "running":
        return _duration(time.time() - stage["started"])
    return "" if stage["seconds"] is None else _duration(stage["seconds"])


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def _progress(stage: dict[str, Any], n_cells: int) -> str:
    progress = stage["progress"]
    if progress is None or stage["state"] in {"waiting", "failed"}:
        return ""
    if not n_cells:
        return f"{min(1.0, progress['share']):.0%}"
    filled = round(n_cells * min(1.0, progress["share"]))
    bar = "█" * filled + "░" * (n_cells - filled)
    return f"{bar} {progress['done']:g}/{progress['total']:g} {progress['unit']}"


def _task_cells(stage: dict[str, Any]) -> list[str]:
    tasks = stage["tasks"]
    if not tasks:
        return [""] * 4
    failed = f" +{tasks['failed']} failed" if tasks["failed"] else ""
    idle = tasks["idle_share"]
    return [
        f"{tasks['n']}{failed}",
        short_seconds(tasks["median_s"]),
        short_seconds(tasks["p95_s"]) if tasks["n"] > 1 else "",
        "" if idle is None or tasks["n"] < 2 else f"{idle:.0%}",
    ]


def short_seconds(seconds: float | None) -> str:
    """Return "0.52 s", "17 s", "2:10", and "" for None."""
    if seconds is None:
        return ""
    if seconds >= 100:
        return _duration(seconds)
    return f"{seconds:.2g} s" if seconds < 10 else f"{seconds:.0f} s"


@contextmanager
def watch(paths: RunDir) -> Iterator[None]:
    """Show progress while a run goes on: a live table, or plain log lines."""
    if not sys.stdout.isatty():
        with _plain_lines():
            yield
        return
    console = make_console()
    stop = threading.Event()
    reader: list[StatusReader] = []
    with Live(console=console, auto_refresh=False, transient=False) as live:

        def show() -> None:
            if paths.ledger.exists():
                reader[:] = reader or [StatusReader(paths.root)]
                view = status_view(reader[0].read(), console.width)
                with suppress(OSError):  # the terminal may be closed
                    live.update(view, refresh=True)

        def refresh() -> None:
            while not stop.wait(1.0):
                with suppress(FileNotFoundError):  # the run folder may be gone
                    show()

        thread = threading.Thread(target=refresh, daemon=True)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()
            with suppress(FileNotFoundError):
                show()


@contextmanager
def _plain_lines() -> Iterator[None]:
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s", "%H:%M:%S"))
    with heard_by(handler):
        yield
