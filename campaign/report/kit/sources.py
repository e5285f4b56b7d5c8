"""Read what a run has written so far; what is not there yet reads as None or empty."""

import csv
import logging
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from pydantic import ValidationError

from apps.science import plugins
from apps.science.arrays import Array
from apps.science.errors import WeftError
from apps.science.pcoords.base import PcoordConfig
from apps.science.segments.frames import WeightedFrames, read_frames
from apps.science.we.spec import PCOORDS
from campaign.declared import Stages, read_stages
from campaign.layout import RunDir
from campaign.ledger import Entry, Ledger
from campaign.report.kit.json_files import read_json
from campaign.report.parts.we.iterations import Iteration, read_iterations

log = logging.getLogger(__name__)

FIRST_MODELS = ("weighted", "unweighted")
MOST_DRAWN = 4
"""Models in one picture; of more, the experiments' table has the rest."""


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
    _frames: dict[Path, WeightedFrames | None] = field(default_factory=dict)

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

    @cached_property
    def asked_system(self) -> dict[str, Any]:
        """What the campaign asks of this protein."""
        if self.paths.protein is None:
            found = self.config.get("system")
        else:
            found = (self.config.get("proteins") or {}).get(self.paths.protein)
        return found if isinstance(found, dict) else {}

    @cached_property
    def environment(self) -> dict[str, Any]:
        """Host, hardware, versions."""
        return read_json(self.paths.environment) or {}

    @cached_property
    def system(self) -> dict[str, Any]:
        """system.json."""
        return read_json(self.paths.system / "system.json") or {}

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

    @cached_property
    def mapping(self) -> dict[str, Any]:
        """cg/mapping.json."""
        return read_json(self.paths.mapping) or {}

    @cached_property
    def journal(self) -> list[Iteration]:
        """Closed WE iterations of the sampling run, in order."""
        return read_iterations(self.paths.we / "journal")

    @cached_property
    def pcoord(self) -> PcoordConfig | None:
        """Settings of the sampling run's progress coordinate; None before it began."""
        written = read_json(self.paths.we / "propagation.json") or {}
        settings: dict[str, Any] = written.get("pcoord") or {}
        try:
            kind = plugins.load_kind(PCOORDS, settings["kind"])
            found: PcoordConfig = kind.Config(**settings)
        except (WeftError, ValidationError, KeyError, TypeError):
            return None
        return found

    @cached_property
    def asked_models(self) -> list[str]:
        """The first few models that the campaign is to train, by its stages."""
        named = (self.declared[stage].of.get("models") for stage in self.stages)
        asked = list(dict.fromkeys(filter(None, named)))
        return asked[:MOST_DRAWN] or list(FIRST_MODELS)

    @cached_property
    def experiments(self) -> list[dict[str, str]]:
        """experiments/table.csv, a line a model, as it was asked for."""
        path = self.paths.experiments / "table.csv"
        if not path.exists():
            return []
        with path.open(encoding="utf-8", newline="") as handle:
            return list(csv.DictReader(handle))

    @cached_property
    def models(self) -> list[str]:
        """The models that are drawn: all, or the first and the best of many."""
        if len(self.all_models) <= MOST_DRAWN or not self.experiments:
            return self.all_models[:MOST_DRAWN]
        rank = f"{self.paths.protein}.mean_rank" if self.paths.protein else "mean_rank"
        asked = [row["name"] for row in self.experiments]
        ranked = sorted(self.experiments, key=lambda row: _number(row.get(rank) or ""))
        chosen = dict.fromkeys([asked[0], *(row["name"] for row in ranked)])
        return [m for m in asked if m in list(chosen)[:MOST_DRAWN]]

    @cached_property
    def all_models(self) -> list[str]:
        """Trained or benchmarked models; weighted and unweighted come first."""
        found = {
            p.name
            for folder in (
                *(run.model("any").parent for run in self.paths.each_learner()),
                self._benchmarks,
            )
            if folder.is_dir()
            for p in folder.iterdir()
            if p.is_dir()
        }
        return [m for m in FIRST_MODELS if m in found] + sorted(
            found - set(FIRST_MODELS)
        )

    @property
    def _benchmarks(self) -> Path:
        return self.paths.benchmark("any").parent

    def metrics(self, model: str) -> dict[str, Any] | None:
        """benchmark/<model>/metrics.json."""
        return read_json(self.paths.benchmark(model) / "metrics.json")

    def training(self, model: str) -> dict[str, Array]:
        """models/<model>/metrics.csv as columns."""
        return read_columns(self.paths.model(model) / "metrics.csv")

    def reference_frames(self) -> WeightedFrames | None:
        """Bead frames of the reference."""
        return self._read_frames(self.paths.reference_frames)

    def model_frames(self, model: str) -> WeightedFrames | None:
        """Bead frames of a model's benchmark."""
        return self._read_frames(self.paths.benchmark(model) / "frames.h5")

    def _read_frames(self, path: Path) -> WeightedFrames | None:
        if path not in self._frames:
            self._frames[path] = None
            if path.exists():
                try:
                    self._frames[path] = read_frames(path)
                except (WeftError, OSError, KeyError) as error:
                    log.warning("report: %s cannot be read: %s", path, error)
        return self._frames[path]


def name_own_loss(paths: RunDir, model: str) -> str:
    """Return the column of metrics.csv by which a model's best epoch was chosen.

    That of the weights it was trained with; where its settings are not at hand, those
    that its name says.
    """
    weighted = model != "unweighted"
    config = paths.model(model) / "config.yaml"
    if config.exists():
        asked = yaml.safe_load(config.read_text(encoding="utf-8")) or {}
        weighted = (asked.get("training") or {}).get("weighted", weighted)
    return f"val_loss_{'' if weighted else 'un'}weighted"


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
        name: np.array([_number(row[i]) for row in body]) for i, name in enumerate(head)
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


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return float("nan")
