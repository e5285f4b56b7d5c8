"""What the driver notes for whoever looks: what goes on now, and what has happened.

``monitoring/now.json`` is replaced every few seconds; ``monitoring/events.jsonl`` only
grows: a block that changed its state, a task that was tried again, how far a stage is.
A SIGKILL costs at most the line that was being written.
"""

import json
import time
from pathlib import Path
from typing import Any

from apps.science.files import make_folder, write_json
from campaign.layout.run_dir import RunDir

FRESH_S = 60.0
"""What is older says nothing about now."""

QUEUED, RUNNING, LOST, ENDED = "queued", "running", "lost", "ended"
BLOCK_STATES = (QUEUED, RUNNING, LOST, ENDED)


def now_file(paths: RunDir) -> Path:
    """Return where the driver says what goes on."""
    return paths.monitoring / "now.json"


def events_file(paths: RunDir) -> Path:
    """Return where the driver says what has happened."""
    return paths.monitoring / "events.jsonl"


def write_now(paths: RunDir, body: dict[str, Any]) -> None:
    """Replace what goes on now."""
    write_json(now_file(paths), {"time": time.time()} | body)


def append_event(paths: RunDir, event: str, **fields: Any) -> None:
    """Append one event; a line that a kill tore is left behind."""
    path = events_file(paths)
    make_folder(path.parent)
    line = {"time": time.time(), "event": event} | fields
    with path.open("ab+") as out:
        if out.tell():
            out.seek(-1, 2)
            if out.read(1) != b"\n":
                out.write(b"\n")
        out.write(json.dumps(line).encode() + b"\n")
