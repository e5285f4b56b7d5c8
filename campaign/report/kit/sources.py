"""Read what a run has written so far; what is not there yet reads as None or empty."""

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from apps.science.arrays import Array
from apps.science.files import read_json
from campaign.declared import Stages
from campaign.layout.run_dir import RunDir
from campaign.ledger import Entry, Ledger
from campaign.opening.told import read_stages


@dataclass(frozen=True)
class Attempt:
    """One time that a stage was at work; seconds since the epoch."""

    stage: str
    started: float
    ended: float
    state: str  # done, failed, interrupted or running


@dataclass
class RunSource:
    """A run folder, read lazily and once."""

    paths: RunDir

    @cached_property
    def config(self) -> dict[str, Any]:
        """resolved.yaml, or campaign.yaml where that is not written."""
        for path in (self.paths.resolved, self.paths.campaign):
            try:
                value = yaml.safe_load(path.read_text(encoding="utf-8"))
            except (OSError, UnicodeDecodeError, yaml.YAMLError):
                continue
            if isinstance(value, dict):
                return value
        return {}

    @property
    def colours(self) -> Mapping[str, str]:
        """Colours of what is drawn on several pictures, by its name."""
        return {}

    @property
    def facts(self) -> list[tuple[str, str]]:
        """What was worked on, as labels and values."""
        return []

    @property
    def details(self) -> Mapping[str, list[tuple[str, str]]]:
        """More of that, behind headings that open."""
        return {}

    @cached_property
    def environment(self) -> dict[str, Any]:
        """Host, hardware, versions."""
        return read_json(self.paths.environment) or {}

    @cached_property
    def entries(self) -> list[Entry]:
        """The ledger."""
        return Ledger(self.paths.ledger).entries()

    @cached_property
    def stages(self) -> list[str]:
        """Names of the stages, in order."""
        named = next((e.stages for e in reversed(self.entries) if e.stages), None)
        return list(named or dict.fromkeys(e.stage for e in self.entries if e.stage))

    @cached_property
    def declared(self) -> Stages:
        """What the stages are."""
        return read_stages(self.paths)

    @cached_property
    def done(self) -> set[str]:
        """Stages recorded as done."""
        return {e.stage for e in self.entries if e.event == "done" and e.stage}

    @cached_property
    def attempts(self) -> list[Attempt]:
        """When each stage was at work, from the ledger."""
        return list_attempts(self.entries)


def read_columns(path: Path) -> dict[str, Array]:
    """Return the numeric columns of a CSV with a header, empty where it is missing.

    Fields that are no numbers become NaN; a torn last line is left out.
    """
    if not path.exists():
        return {}
    with path.open(encoding="utf-8", newline="") as handle:
        rows = list(csv.reader(handle))
    if len(rows) < 2:
        return {}
    head = [name.strip() for name in rows[0]]
    body = [row for row in rows[1:] if len(row) == len(head)]
    columns = {
        name: np.array([read_number(row[i]) for row in body])
        for i, name in enumerate(head)
    }
    return {name: c for name, c in columns.items() if np.isfinite(c).any()}


def list_attempts(entries: list[Entry]) -> list[Attempt]:
    """Pair each stage's "started" with what came of it.

    A start that neither ended nor failed ends with the driver: with run_ended, with
    the last line before the next run_started, or at the ledger's end.
    """
    attempts: list[Attempt] = []
    open_: dict[str, float] = {}
    last = entries[-1].time if entries else 0.0

    def close_all(at: float, state: str) -> None:
        attempts.extend(Attempt(s, t, max(t, at), state) for s, t in open_.items())
        open_.clear()

    previous = last
    for entry in entries:
        if entry.event == "run_started":
            close_all(previous, "interrupted")
        elif entry.event == "run_ended":
            close_all(entry.time, "interrupted")
        elif entry.stage and entry.event == "started":
            open_[entry.stage] = entry.time
        elif entry.stage and entry.event in {"done", "failed"}:
            begin = entry.time - (entry.seconds or 0.0)
            begin = open_.pop(entry.stage, begin)
            attempts.append(Attempt(entry.stage, begin, entry.time, entry.event))
        previous = entry.time
    close_all(last, "running")
    return sorted(attempts, key=lambda a: a.started)


def read_number(text: str) -> float:
    """Return a number, NaN for what is none."""
    try:
        return float(text)
    except ValueError:
        return float("nan")
