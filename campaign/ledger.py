"""The append-only record of a run: what started, what is done, with which outputs."""

import dataclasses
import json
import logging
import os
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, Final

from apps.science.content import hash_content
from apps.science.errors import ConfigError
from apps.science.files import hash_file

log = logging.getLogger(__name__)

HASH_LIMIT_BYTES = 256 << 20
"""Larger outputs are known by size alone: hashing terabytes would stall a resume."""

_SETTLED_S: Final = 5.0
"""A file that was written longer ago shows a later change in its time stamp."""

NOTES: Final = ("settings", "versions", "kept", "again")
"""Events that say what changed in a run after it began; ``message`` says it."""

_EVENTS: Final = {"run_started", "run_ended", "started", "done", "failed", *NOTES}

Prints = Mapping[str, Mapping[str, Any]]
"""By the path of an output: its size, sha256, and sha256 of its content."""


@dataclass(frozen=True)
class Sources:
    """What a stage is made from.

    Attributes
    ----------
    inputs : by the path of each file that it reads, as of outputs
    settings : by the dotted name of each setting that it is given, a digest
    """

    inputs: Prints = field(default_factory=dict)
    settings: Mapping[str, str] = field(default_factory=dict)

    def fields(self) -> dict[str, Any]:
        """Return what of it stands in a line."""
        return {"inputs": dict(self.inputs), "settings": dict(self.settings)}


@dataclass(frozen=True)
class Entry:
    """One line of the ledger.

    ``inputs`` and ``settings`` of a stage's start and end are those of ``Sources``;
    versions before 0.2 did not note them. ``queued`` is true of a start whose work is
    in tasks, which may have to wait for a worker.
    """

    time: float
    event: str
    stage: str | None = None
    seconds: float | None = None
    outputs: dict[str, dict[str, Any]] | None = None
    inputs: dict[str, dict[str, Any]] | None = None
    settings: dict[str, str] | None = None
    queued: bool | None = None
    message: str | None = None
    stages: list[str] | None = None
    site: str | None = None


_FIELDS: Final = {one.name for one in dataclasses.fields(Entry)}


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
        """Return every whole line, oldest first.

        Lines that are torn or no text are passed over with a warning. What a later
        version notes beside, fields or events of its own, does not matter here.
        """
        if not self.path.exists():
            return []
        if self.path.is_dir():
            raise ConfigError(
                f"{self.path} is a folder; expected the run's record. Move it away."
            )
        entries = []
        for number, line in enumerate(self.path.read_bytes().split(b"\n"), start=1):
            if not line.strip():
                continue
            entry = _read_line(line)
            if entry is None:
                _warn(self.path, number)
            elif entry.event in _EVENTS:
                entries.append(entry)
        return entries

    def record_done(
        self,
        stage: str,
        seconds: float,
        outputs: Iterable[Path],
        sources: Sources = Sources(),
    ) -> None:
        """Record a finished stage: fingerprints of its outputs, and of its sources."""
        root = self.path.parent
        prints = {str(p.relative_to(root)): _take_print(p) for p in outputs}
        self.append("done", stage, seconds=seconds, outputs=prints, **sources.fields())

    def take_prints(self, files: Iterable[Path]) -> dict[str, Mapping[str, Any]]:
        """Return the fingerprints of the files that are there.

        Those of outputs are as they were recorded, which spares reading them again.
        """
        root, entries = self.path.parent, self.entries()
        found: dict[str, Mapping[str, Any]] = {}
        for path in files:
            inside = path.is_relative_to(root)
            name = str(path.relative_to(root) if inside else path)
            made = (e.outputs or {} for e in entries)
            known = [outputs[name] for outputs in made if name in outputs]
            if all(one == known[-1] for one in known[:-1]):
                known = known[-1:]
            else:
                known = [one for one in known if _is_untouched(path, one)]
            if known:
                found[name] = known[-1]
            elif path.is_file():
                found[name] = _take_print(path)
        return found

    def is_done(self, stage: str, outputs: Sequence[Path] = ()) -> bool:
        """Tell whether the stage is recorded done and its outputs are as recorded.

        Parameters
        ----------
        outputs
            What has to be there besides, recorded or not.
        """
        if not all(path.is_file() for path in outputs):
            return False
        return self._find_valid(self.entries(), stage) is not None

    def find_stale(self, stage: str, now: Sources, parents: Iterable[str]) -> str:
        """Return what has changed of what a stage was made from, in words.

        Of a stage that did not end that is what it was begun from. Empty where nothing
        has, or where the stage was kept all the same (an entry ``kept``). Where a
        setting or file is known of one side alone nothing is said of it.

        Parameters
        ----------
        parents : stages that count where an earlier version noted no sources
        """
        entries = self.entries()
        own = self._find_valid(entries, stage)
        if own is None:
            again = max(_places(entries, "again", stage), default=-1)
            events = ("started", "done", "kept")
            places = [k for event in events for k in _places(entries, event, stage)]
            place = max((k for k in places if k > again), default=None)
        else:
            place = max([own, *_places(entries, "kept", stage)])
        if place is None:
            return ""
        before = entries[place]
        if before.inputs is None:
            parent = own is not None and self.find_outdated(stage, parents)
            if not parent:
                return ""
            changed = self.find_changed(parent) or [f"what stage {parent} made"]
            return f"{', '.join(changed)} came out differently"
        was = Sources(before.inputs, before.settings or {})
        files = sorted(set(was.inputs) & set(now.inputs))
        files = [k for k in files if not _same(was.inputs[k], now.inputs[k])]
        keys = sorted(set(was.settings) & set(now.settings))
        keys = [k for k in keys if was.settings[k] != now.settings[k]]
        said = [f"{', '.join(files)} came out differently"] if files else []
        said += [f"{', '.join(keys)} changed in campaign.yaml"] if keys else []
        return " and ".join(said)

    def find_outdated(self, stage: str, parents: Iterable[str]) -> str | None:
        """Return which parent's outputs are others than the stage was made from.

        That is so where a parent was made again, after the stage, and came out
        differently; None where there is no such parent, or the stage was kept all
        the same (an entry ``kept``).
        """
        entries = self.entries()
        own = self._find_valid(entries, stage)
        if own is None:
            return None
        since = max([own, *_places(entries, "kept", stage)])
        for parent in parents:
            now = self._find_valid(entries, parent)
            before = [entries[k] for k in _places(entries[:since], "done", parent)]
            if now is None or not before:
                continue
            if not _mean_the_same(before[-1].outputs or {}, entries[now].outputs or {}):
                return parent
        return None

    def find_changed(self, stage: str) -> list[str]:
        """Return the outputs in which the last two ends of a stage differ."""
        entries = self.entries()
        done = _places(entries, "done", stage)
        if len(done) < 2:
            return []
        before, now = (entries[k].outputs or {} for k in done[-2:])
        return [
            name
            for name in sorted(set(before) & set(now))
            if not _same(before[name], now[name])
        ]

    def was_done(self, stage: str) -> bool:
        """Tell whether a stage ended, whatever became of its outputs."""
        entries = self.entries()
        done = _places(entries, "done", stage)
        again = _places(entries, "again", stage)
        return bool(done) and done[-1] > max(again, default=-1)

    def list_outputs(self, stage: str) -> list[Path]:
        """Return what a stage made when it ended last, whether it is there or not."""
        entries = self.entries()
        done = _places(entries, "done", stage)
        names = (entries[done[-1]].outputs or {}) if done else {}
        return [self.path.parent / name for name in names]

    def entries_since(self, stage: str) -> list[Entry]:
        """Return what was noted after a stage was done last; all if it never was."""
        entries = self.entries()
        done = _places(entries, "done", stage)
        return entries[done[-1] + 1 :] if done else entries

    def _find_valid(self, entries: Sequence[Entry], stage: str) -> int | None:
        """Return the newest ``done`` of a stage whose outputs lie there unchanged.

        Those before an entry ``again`` do not count.
        """
        root = self.path.parent
        again = max(_places(entries, "again", stage), default=-1)
        for index in reversed(_places(entries, "done", stage)):
            prints = (entries[index].outputs or {}).items()
            if index > again and all(
                _is_untouched(root / name, known) for name, known in prints
            ):
                return index
        return None

    def _ends_whole(self) -> bool:
        with self.path.open("rb") as existing:
            existing.seek(-1, os.SEEK_END)
            return existing.read(1) == b"\n"


def _places(entries: Sequence[Entry], event: str, stage: str) -> list[int]:
    return [k for k, e in enumerate(entries) if (e.event, e.stage) == (event, stage)]


def _read_line(line: bytes) -> Entry | None:
    try:
        found = json.loads(line.decode("utf-8"))
        entry = Entry(**{k: v for k, v in found.items() if k in _FIELDS})
    except (ValueError, TypeError, AttributeError):
        return None
    whole = isinstance(entry.time, int | float) and isinstance(entry.event, str)
    return entry if whole else None


@cache
def _warn(path: Path, number: int) -> None:
    log.warning("%s: line %d cannot be read and is passed over", path, number)


def _take_print(path: Path) -> dict[str, Any]:
    size = path.stat().st_size
    if size > HASH_LIMIT_BYTES:
        return {"size": size}
    known = {"size": size, "sha256": hash_file(path)}
    content = hash_content(path)
    return known if content is None else known | {"content": content}


def _is_untouched(path: Path, known: Mapping[str, Any]) -> bool:
    """Tell whether a file is, byte for byte, the one that was recorded."""
    if not path.is_file() or path.stat().st_size != known.get("size"):
        return False
    return "sha256" not in known or _hash(path) == known["sha256"]


def _hash(path: Path) -> str:
    """Return a file's sha256; read again only where it may have been written."""
    stat = path.stat()
    if time.time() - stat.st_mtime < _SETTLED_S:
        return hash_file(path)
    return _hash_settled(path, stat.st_ino, stat.st_size, stat.st_mtime_ns)


@lru_cache(maxsize=4096)
def _hash_settled(path: Path, *_stat: int) -> str:
    return hash_file(path)


def _mean_the_same(one: Prints, other: Prints) -> bool:
    return all(_same(one[name], other[name]) for name in set(one) & set(other))


def _same(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Tell whether two files mean the same, as far as it was noted."""
    if "content" in one and "content" in other:
        return bool(one["content"] == other["content"])
    if "content" in one or "content" in other:
        return True  # an earlier version noted the bytes alone, a date among them
    keys = {"size", "sha256"} & set(one) & set(other)
    return all(one[key] == other[key] for key in keys)
