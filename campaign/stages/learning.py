"""From frames to trained models: prior, training set, training.

Models that agree in what a prior or a training set is made with share it.
"""

import logging
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from apps.roles import TRAIN
from apps.science.cg.mapping.config import MADE_OF_FRAMES
from apps.science.files import read_json, write_text
from apps.science.learning.names import ENDING
from apps.science.seeds import derive_seed
from campaign.context import Context, StageFuture
from campaign.declared import Stage
from campaign.layout.protein_dir import ProteinDir
from campaign.stages.learning_config import LearningConfig
from campaign.stages.names import at_protein
from campaign.stages.variants import Variant

_log = logging.getLogger(__name__)

Futures = list["Future[Any]"]

_BESIDE_PRIOR: Final = ("prior_fit.json", "force_maps.json", "learning_mapping.json")
"""Data against fit; how each force map does; the mapping with the one asked for."""


@dataclass(frozen=True)
class Learnt:
    """What a model is learnt from.

    Attributes
    ----------
    prior_of, dataset_of : the first model that has this prior, this training set;
        empty for those of the first model of all
    learner : the protein that it is learnt from alone; None where from all
    """

    prior: Path
    dataset: Path
    prior_of: str
    dataset_of: str
    learner: str | None

    @property
    def prior_stage(self) -> str:
        """The stage that fits the prior."""
        return at_protein(f"prior_{self.prior_of}".rstrip("_"), self.learner)

    @property
    def dataset_stage(self) -> str:
        """The stage that writes the training set."""
        return at_protein(f"dataset_{self.dataset_of}".rstrip("_"), self.learner)


def share_out(variants: Sequence[Variant], paths: ProteinDir) -> dict[str, Learnt]:
    """Return what each variant is learnt from, by its name."""
    priors: dict[tuple[str, ...], str] = {}
    datasets: dict[tuple[str, ...], str] = {}
    found = {}
    for variant in variants:
        own = variant.name if priors else ""
        prior_of = priors.setdefault(variant.prior_key, own)
        dataset_of = datasets.setdefault(variant.dataset_key, own)
        found[variant.name] = Learnt(
            paths.prior.parent / prior_of / paths.prior.name,
            paths.dataset.parent / dataset_of / paths.dataset.name,
            prior_of, dataset_of, paths.learner,
        )  # fmt: skip
    return found


def declare_learning(config: LearningConfig, paths: ProteinDir) -> list[Stage]:
    """Return the stages from the first prior to the last training.

    Parameters
    ----------
    paths : seen from the run folder; of the protein that is learnt from alone
    """
    learnt = share_out(config.variants, paths)
    priors = {one.prior_stage: one.prior_of for one in learnt.values()}
    datasets = {one.dataset_stage: one.dataset_of for one in learnt.values()}
    whose = {"proteins": paths.learner} if paths.learner else {}
    return [
        *(
            Stage(name, "prior", f"fit the prior{_of(of)} and the force map", of=whose)
            for name, of in priors.items()
        ),
        *(
            Stage(
                name, "dataset", f"write what the prior leaves to learn{_of(of)}",
                of=whose,
            )
            for name, of in datasets.items()
        ),
        *(
            Stage(
                _train_stage(name, paths), "train", f"train the model {name}", TRAIN,
                of={**whose, "models": name}, trains=(folder := str(paths.model(name))),
                keeps=[folder],
            )
            for name in learnt
        ),
    ]  # fmt: skip


def _of(model: str) -> str:
    return f" of {model}" if model else ""


def _train_stage(model: str, paths: ProteinDir) -> str:
    return at_protein(f"train_{model}", paths.learner)


def _say_ending(stage: str, folder: Path, trained: StageFuture) -> None:
    """Log where a training stopped and whether more would help."""
    if trained.exception() is None:
        ending = read_json(folder / ENDING) or {}
        if "sentence" in ending:
            _log.info("%s: %s", stage, ending["sentence"])


class LearningStages:
    """Each method submits one stage and returns its future.

    Parameters
    ----------
    homes : where the data of each protein lie that is learnt from
    """

    def __init__(
        self,
        ctx: Context,
        config: LearningConfig,
        homes: Sequence[ProteinDir],
        temperature_kelvin: float,
    ) -> None:
        self.ctx, self.config, self.homes = ctx, config, homes
        self.paths, self.temperature_kelvin = homes[0], temperature_kelvin
        self.learnt = share_out(config.variants, self.paths)
        self._shared: dict[str, StageFuture] = {}

    def prior(self, variant: Variant, after: Sequence[StageFuture]) -> StageFuture:
        """Fit the prior, check that it is stable by itself, and measure force maps."""
        from apps.coarse_grain import fit_force_map, fit_prior

        learnt = self.learnt[variant.name]
        stage, mapping = learnt.prior_stage, variant.mapping.model_dump_json()
        frames = variant.frames.model_dump_json()
        known = {
            "temperature_kelvin": self.temperature_kelvin,
            "weights": variant.prior.weights or variant.dataset.weights,
        }
        config = variant.prior.model_copy(update=known).model_dump_json()
        beside = [self._beside_prior(home, learnt) for home in self.homes]
        sources = [
            (home.segments, home.mapping, report)
            for home, (report, _, _) in zip(self.homes, beside, strict=True)
        ]

        def submit(after: Futures) -> Futures:
            return [
                fit_prior(sources, config, learnt.prior, stage=stage, inputs=after),
                *(
                    fit_force_map(
                        home.segments, home.mapping, mapping, frames,
                        self._seed("split"), fitted, maps, variant.dataset.weights,
                        stage=stage, inputs=after,
                    )
                    for home, (_, maps, fitted) in zip(self.homes, beside, strict=True)
                ),
            ]  # fmt: skip

        outputs = [learnt.prior, *(path for paths in beside for path in paths)]
        reads = [path for one in sources for path in one[:2]]
        given = {
            "seed": self.config.seed,
            "prior": variant.prior.model_copy(update=known).model_dump(mode="json"),
            "mapping": variant.mapping.model_dump(mode="json"),
            "dataset": variant.frames.model_dump(mode="json"),
        }
        return self._once(stage, outputs, submit, after, reads, given)

    def dataset(self, variant: Variant, after: Sequence[StageFuture]) -> StageFuture:
        """Write what the prior leaves to learn, of every protein."""
        from apps.coarse_grain import write_delta_forces

        learnt = self.learnt[variant.name]
        stage, config = learnt.dataset_stage, variant.dataset
        asked = variant.mapping.force_map
        sources = [
            (
                home.protein or config.molecule,
                home.segments,
                home.mapping
                if asked == self.config.mapping.force_map
                and asked not in MADE_OF_FRAMES
                else self._beside_prior(home, learnt)[-1],
            )
            for home in self.homes
        ]

        def submit(after: Futures) -> Futures:
            return [
                write_delta_forces(
                    sources, learnt.prior, config.model_dump_json(),
                    self._seed("split"), learnt.dataset, stage=stage, inputs=after,
                )
            ]  # fmt: skip

        reads = [learnt.prior, *(path for one in sources for path in one[1:])]
        given = {"seed": self.config.seed, "dataset": config.model_dump(mode="json")}
        return self._once(stage, [learnt.dataset], submit, after, reads, given)

    def train(self, variant: Variant, after: Sequence[StageFuture]) -> StageFuture:
        """Train one model, in one process or in several."""
        from apps.train import train_model

        paths, learnt = self.paths, self.learnt[variant.name]
        stage, folder = _train_stage(variant.name, paths), paths.model(variant.name)
        job = {
            "task": "force_matching",
            "dataset": str(learnt.dataset),
            "prior": str(learnt.prior) if variant.dataset.one_prior else None,
            "out": str(folder),
            "progress": str(paths.progress(stage)),
            "seed": derive_seed(variant.seed, "train"),
            "device": "auto",
            "model": variant.model.model_dump(mode="json"),
            "training": variant.training.model_dump(mode="json"),
        }

        def submit(after: Futures) -> Futures:
            written = write_text(
                folder / "config.yaml", yaml.safe_dump(job, sort_keys=False)
            )
            return [
                train_model(
                    written, self.config.n_train_processes, said,
                    stage=stage, inputs=after,
                )
            ]  # fmt: skip

        said = folder / "train.log"
        outputs = [paths.checkpoint(variant.name), folder / "metrics.csv"]
        given = {
            "seed": variant.seed,
            "dataset": {"one_prior": variant.dataset.one_prior},
            **{key: job[key] for key in ("model", "training")},
        }
        reads = [learnt.dataset, *([learnt.prior] if job["prior"] else [])]
        trained = self.ctx.stage(stage, outputs, submit, after, said, reads, given)
        if not trained.done():
            trained.add_done_callback(lambda done: _say_ending(stage, folder, done))
        return trained

    def _once(
        self,
        stage: str,
        outputs: list[Path],
        submit: Any,
        after: Sequence[StageFuture],
        reads: Sequence[Path],
        given: Mapping[str, Any],
    ) -> StageFuture:
        """Submit a stage that several models wait for, the first time it is asked."""
        if stage not in self._shared:
            self._shared[stage] = self.ctx.stage(
                stage, outputs, submit, after, reads=reads, given=given
            )
        return self._shared[stage]

    def _beside_prior(self, home: ProteinDir, learnt: Learnt) -> list[Path]:
        return [home.beside_prior(name, learnt.prior_of) for name in _BESIDE_PRIOR]

    def _seed(self, purpose: str) -> int:
        return derive_seed(self.config.seed, purpose)
