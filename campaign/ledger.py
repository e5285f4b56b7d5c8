"""The append-only record of a run: what started, what is done, with which outputs."""

import json
import os
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from apps.science.files import hash_file

HASH_LIMIT_BYTES = 256 << 20
"""Larger outputs are known by size alone: hashing terabytes would stall a resume."""


@dataclass(frozen=True)
class Entry:
    """One line of the ledger."""

    time: float
    event: str
    stage: str | None = None
    seconds: float | None = None
    outputs: dict[str, dict[str, Any]] | None = None
    message: str | None = None
    stages: list[str] | None = None
    site: str | None = None


class Ledger:
    """Reads and appends ledger.jsonl of one run folder."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def append(self, event: str, stage: str | None = None, **fields: Any) -> None:
        """Append one line and force it to disk."""
        line = {"time": time.time(), "event": event, "stage": stage} | fields
        with self.path.open("ab") as out:
            if out.tell() and not self._ends_whole():
                out.write(b"\n")  # a kill tore the last line; leave it behind
            out.write(json.dumps(line).encode() + b"\n")
            out.flush()
            os.fsync(out.fileno())

    def entries(self) -> list[Entry]:
        """Return every whole line, oldest first; torn lines are passed over."""
        if not self.path.exists():
            return []
        entries = []
        for line in self.path.read_text(encoding="utf-8").splitlines():
            try:
                entries.append(Entry(**json.loads(line)))
            except (json.JSONDecodeError, TypeError):
                continue
        return entries

    def record_done(self, stage: str, seconds: float, outputs: Iterable[Path]) -> None:
        """Record a finished stage with the fingerprints of its outputs."""
        root = self.path.parent
        prints = {str(p.relative_to(root)): _fingerprint(p) for p in outputs}
        self.append("done", stage, seconds=seconds, outputs=prints)

    def is_done(self, stage: str) -> bool:
        """Tell whether the stage is recorded done and its outputs are as recorded."""
        last = [e for e in self.entries() if e.stage == stage and e.event == "done"]
        if not last:
            return False
        root = self.path.parent
        return all(
            (root / name).exists() and _fingerprint(root / name) == print_
            for name, print_ in (last[-1].outputs or {}).items()
        )

    def _ends_whole(self) -> bool:
        with self.path.open("rb") as existing:
            existing.seek(-1, os.SEEK_END)
            return existing.read(1) == b"\n"


def _fingerprint(path: Path) -> dict[str, Any]:
    size = path.stat().st_size
    if size > HASH_LIMIT_BYTES:
        return {"size": size}
    return {"size": size, "sha256": hash_file(path)}
