"""Read what a campaign that learns a force field has written so far."""

import csv
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from apps.science import plugins
from apps.science.arrays import Array
from apps.science.errors import WeftError
from apps.science.files import read_json
from apps.science.pcoords.base import PcoordConfig
from apps.science.segments.frames import WeightedFrames, read_frames
from apps.science.systems.unfolding import spell_starts
from apps.science.we.spec import PCOORDS
from campaign.layout.protein_dir import ProteinDir
from campaign.report.kit.sources import RunSource, read_columns, read_number
from campaign.report.parts.model_look import choose_colours
from campaign.report.parts.we.iterations import Iteration, read_iterations
from campaign.telling import words

log = logging.getLogger(__name__)

FIRST_MODELS = ("weighted", "unweighted")
MOST_DRAWN = 4
"""Models in one picture; of more, the experiments' table has the rest."""


@dataclass
class LearntSource(RunSource):
    """A run folder as its page sees it: of one protein, or of all."""

    paths: ProteinDir
    _frames: dict[Path, WeightedFrames | None] = field(default_factory=dict)

    @property
    def colours(self) -> Mapping[str, str]:
        """The colour of each model that is drawn, the same on the whole page."""
        return choose_colours(self.models)

    @property
    def facts(self) -> list[tuple[str, str]]:
        """What was simulated, as labels and values."""
        return [*_system_facts(self.system), *_bead_facts(self.mapping)]

    @property
    def details(self) -> Mapping[str, list[tuple[str, str]]]:
        """What was taken of the structure."""
        found = self.system.get("taken")
        rows = found.items() if isinstance(found, dict) else ()
        said = [(str(heading), str(sentence)) for heading, sentence in rows]
        return {"What was taken of the structure": said} if said else {}

    @cached_property
    def asked_system(self) -> dict[str, Any]:
        """What the campaign asks of this protein."""
        if self.paths.protein is None:
            found = self.config.get("system")
        else:
            found = (self.config.get("proteins") or {}).get(self.paths.protein)
        return found if isinstance(found, dict) else {}

    @cached_property
    def system(self) -> dict[str, Any]:
        """system.json."""
        return read_json(self.paths.system / "system.json") or {}

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
        ranked = sorted(
            self.experiments, key=lambda row: read_number(row.get(rank) or "")
        )
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


def name_own_loss(paths: ProteinDir, model: str) -> str:
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


def _system_facts(system: Mapping[str, Any]) -> list[tuple[str, str]]:
    if not system:
        return []
    sequence = str(system.get("sequence", ""))
    size = f"{system.get('n_particles', 0):,} particles, {system.get('solvent')}"
    dynamics = (
        f"{words.number(system['temperature_kelvin'])} K, friction "
        f"{words.number(system['friction_per_ps'])} ps⁻¹, time step "
        f"{words.number(system['timestep_fs'])} fs"
    )
    return [
        ("Sequence", f"{sequence} ({words.count(len(sequence), 'residue')})"),
        ("System", size + (", periodic" if system.get("periodic") else "")),
        ("Dynamics", dynamics),
        ("Starts", spell_starts(system.get("start_names", []))),
    ]


def _bead_facts(mapping: Mapping[str, Any]) -> list[tuple[str, str]]:
    beads = mapping.get("names") or mapping.get("bead_names") or mapping.get("z")
    if not beads:
        return []
    kind = mapping.get("kind", "beads")
    return [("Coarse grain", f"{words.count(len(beads), 'bead')}, {kind}")]
