"""The status of a run as a table: live on a terminal, one line per event elsewhere."""

import logging
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.live import Live
from rich.table import Table

from campaign.layout import RunDir
from campaign.said import heard_by
from campaign.status import read_status

_MARKS = {
    "done": "[green]done[/]",
    "running": "[bold cyan]running[/]",
    "failed": "[bold red]failed[/]",
    "interrupted": "[yellow]interrupted[/]",
    "waiting": "[dim]waiting[/]",
}


def status_table(status: dict[str, Any]) -> Table:
    """Return the stages of a run with state, time and progress."""
    table = Table(title=f"{status['name']}: {status['state']}", title_justify="left")
    for heading, justify in (
        ("stage", "left"), ("state", "left"), ("time", "right"), ("progress", "left"),
    ):  # fmt: skip
        table.add_column(heading, justify=justify)  # type: ignore[arg-type]
    for stage in status["stages"]:
        table.add_row(
            stage["name"],
            _MARKS.get(stage["state"], stage["state"]),
            _time(stage),
            _progress(stage),
        )
    share = status["orchestration_share"]
    if share is not None and status["state"] == "done":
        table.caption = f"{share:.0%} of the time outside task bodies"
    return table


def _time(stage: dict[str, Any]) -> str:
    if stage["state"] == "running":
        return _duration(time.time() - stage["started"])
    return "" if stage["seconds"] is None else _duration(stage["seconds"])


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def _progress(stage: dict[str, Any]) -> str:
    progress = stage["progress"]
    if progress is None or stage["state"] in {"waiting", "failed"}:
        return ""
    filled = round(12 * min(1.0, progress["share"]))
    bar = "█" * filled + "░" * (12 - filled)
    text = f"{bar} {progress['done']:g}/{progress['total']:g} {progress['unit']}"
    if stage["state"] == "running":
        left = _time_left(stage, progress)
        text += f", {left}" if left else ""
        text += f"; {progress['detail']}" if progress["detail"] else ""
    return text


def _time_left(stage: dict[str, Any], progress: dict[str, Any]) -> str:
    share = progress["share"]
    spent = time.time() - stage["started"]
    if not 0.02 < share < 1.0:
        return ""
    return f"{_duration(spent * (1 - share) / share)} left"


@contextmanager
def watch(paths: RunDir) -> Iterator[None]:
    """Show progress while a run goes on: a live table, or plain log lines."""
    if not sys.stdout.isatty():
        with _plain_lines():
            yield
        return
    console = Console()
    stop = threading.Event()
    with Live(console=console, auto_refresh=False, transient=False) as live:

        def refresh() -> None:
            while not stop.wait(1.0):
                if paths.ledger.exists():
                    live.update(status_table(read_status(paths.root)), refresh=True)

        thread = threading.Thread(target=refresh, daemon=True)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()
            if paths.ledger.exists():
                live.update(status_table(read_status(paths.root)), refresh=True)


@contextmanager
def _plain_lines() -> Iterator[None]:
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s", "%H:%M:%S"))
    with heard_by(handler):
        yield
