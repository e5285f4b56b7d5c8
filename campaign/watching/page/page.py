"""The page that watches a run: its parts, rendered anew for every look."""

import json
import threading
import time
from functools import cached_property
from pathlib import Path
from typing import Any

from campaign.telling.words import about, count, duration, percent
from campaign.watching.display import say_facts, short_seconds
from campaign.watching.page.lanes import draw_timeline
from campaign.watching.sentences import (
    say_left,
    say_pool,
    say_running,
    say_tries,
)
from campaign.watching.status import StatusReader
from campaign.watching.timeline import read_starts

KEEP_S = 1.0
"""Several open pages share what was read so lately."""
MOST_SHARE = 0.1
"""Of a core, at most: the login node is not ours. A long run is read more rarely."""
LOG_LINES = 14
LOG_BYTES = 16_384
WINDOWS = {"all": None, "last": 600.0}
PARTS = ("head", "stages", "workers", "log")
_CSS = Path(__file__).parents[2] / "report" / "kit" / "page.css"


class Page:
    """Renders one run; safe to use from several threads."""

    def __init__(self, run_dir: Path) -> None:
        self.reader = StatusReader(run_dir)
        self._lock = threading.Lock()
        self._kept: dict[str, tuple[float, str]] = {}

    def html(self) -> str:
        """Return the whole page, with its parts as they are now."""
        folder = Path(__file__).parent
        css = [path.read_text("utf-8") for path in (_CSS, folder / "watch.css")]
        script = (folder / "watch.js").read_text("utf-8")
        found: str = self._templates.get_template("page.html").render(
            name=self.reader.paths.name, css="\n".join(css), script=script,
            parts=json.loads(self.json("all"))["parts"],
        )  # fmt: skip
        return found

    def json(self, window: str) -> str:
        """Return the status and the page's parts for ``window``, as JSON."""
        with self._lock:
            until, text = self._kept.get(window, (0.0, ""))
            if time.monotonic() > until:
                began = time.monotonic()
                status = self.reader.read()
                parts = self._render(status, window)
                text = json.dumps({"status": status, "parts": parts})
                ended = time.monotonic()
                pause = max(KEEP_S, (ended - began) / MOST_SHARE)
                self._kept[window] = (ended + pause, text)
            return text

    def _render(self, status: dict[str, Any], window: str) -> dict[str, str]:
        tasks = self.reader.history.tasks
        alive = status["state"] == "running"
        clock = status["time"]
        root = self.reader.paths.root
        starts = read_starts(root, clock if alive else None, tasks)
        values = {
            "status": status,
            "cards": list_cards(status),
            "facts": say_facts(status),
            "running": say_running(status["running"], clock),
            "pools": [(p["roles"], say_pool(p)) for p in status["pools"] or []],
            "timeline": draw_timeline(
                tasks, status["running"], starts, WINDOWS.get(window)
            ),
            "window": window,
            "log": read_log(self.reader.paths.log),
            "now": clock,
        }
        return {
            part: self._templates.get_template(f"part_{part}.html").render(values)
            for part in PARTS
        }

    @cached_property
    def _templates(self) -> Any:
        from jinja2 import Environment, FileSystemLoader, StrictUndefined

        found = Environment(
            loader=FileSystemLoader(Path(__file__).parent), autoescape=True,
            undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True,
        )  # fmt: skip
        found.filters |= {
            "duration": duration, "about": about, "percent": percent,
            "short": short_seconds,
        }  # fmt: skip
        return found


def list_cards(status: dict[str, Any]) -> list[tuple[str, str, str]]:
    """Return the figures at the top: label, value, and what stands small below."""
    at_work = status["state"] == "running"
    again = status["n_starts"] - 1
    since = f"resumed {count(again, 'time')}" if again > 0 else ""
    label = "Running for" if at_work else "Ran for"
    cards = [(label, duration(status["seconds"]), since)]
    if left := say_left(status):
        value, _, less = left.partition(" left")
        cards.append(("Time left", value, less.lstrip(", ")))
    pools = [p for p in status["pools"] or [] if p["workers"] is not None]
    if pools:
        busy, workers = (sum(p[key] for p in pools) for key in ("busy", "workers"))
        waiting = sum(p["waiting"] for p in pools)
        more = f"{count(waiting, 'task')} waiting" if waiting else ""
        cards.append(("Workers busy", f"{busy} of {workers}", more))
    blocks = status["blocks"]
    if blocks and (at_work or blocks["lost"]):
        up = [f"{blocks[s]} {s}" for s in ("running", "queued") if blocks[s]]
        lost = f"{blocks['lost']} lost so far" if blocks["lost"] else ""
        cards.append(("Blocks", ", ".join(up) or "none", lost))
    if status["hours"]:
        cards += _hour_cards(status["hours"])
    tries = status["failed_tries"]
    if tries and any(tries.values()):
        cards.append(("Failed tries", str(sum(tries.values())), say_tries(tries)))
    return cards


def _hour_cards(hours: dict[str, float | None]) -> list[tuple[str, str, str]]:
    cards = []
    for key, unit in (("core", "Core"), ("gpu", "GPU")):
        used, held = hours[key] or 0.0, hours[f"{key}_held"]
        if used:
            value = f"{used:.2f}" if used < 10 else f"{used:,.0f}"
            share = f"{percent(used / held)} of what was held" if held else ""
            cards.append((f"{unit} hours in tasks", value, share))
    return cards


def read_log(path: Path) -> list[tuple[str, str]]:
    """Return the last lines of campaign.log with the level of each."""
    try:
        with path.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(max(0, size - LOG_BYTES))
            text = file.read().decode("utf-8", "replace")
    except OSError:
        return []
    lines = text.splitlines()[-LOG_LINES:]
    return [
        (next((w for w in ("ERROR", "WARNING") if f" {w} " in line[:60]), ""), line)
        for line in lines
    ]
