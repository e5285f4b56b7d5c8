"""Everything that changes while a model trains, saved and restored as one."""

import hashlib
import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import torch
from torch import Tensor

from apps.science.learning.checkpoint import read_checkpoint, write_checkpoint
from apps.science.learning.checkpoint_file import (
    DamagedCheckpointError,
    ForeignCheckpointError,
    set_aside,
)
from apps.science.learning.plan import Plan
from apps.science.learning.ranks import Ranks
from apps.science.learning.record import Row
from apps.science.learning.schedule import LearningRate, MovingAverage, build_optimiser
from apps.science.models.base import build_network, read_config
from apps.science.seeds import derive_seed
from apps.science.tasks.force_matching.batches import Batches
from apps.science.tasks.force_matching.config import TrainingJob
from apps.science.tasks.force_matching.data import TrainingData

_log = logging.getLogger(__name__)

_REHEARSED: Final = 1e-6
"""Learning rate of steps that are taken back."""


@dataclass
class Progress:
    """Where training stands.

    Attributes
    ----------
    epoch, batch : the next batch to take, both from zero
    error_sum, factor_sum : sums of c * error and c over the epoch so far
    seconds : wall time spent on the epoch so far
    stalled : epochs since the validation loss was best
    """

    epoch: int = 0
    batch: int = 0
    step: int = 0
    error_sum: float = 0.0
    factor_sum: float = 0.0
    seconds: float = 0.0
    best: float = float("inf")
    best_epoch: int = 0
    stalled: int = 0
    finished: bool = False
    history: list[Row] = field(default_factory=list)


class TrainingState:
    """A network with its optimiser, schedule, average and place in the epochs."""

    def __init__(
        self, job: TrainingJob, data: TrainingData, batches: Batches, ranks: Ranks
    ) -> None:
        torch.manual_seed(derive_seed(job.seed, "network"))
        self.job, self._data, self._ranks = job, data, ranks
        self.model = read_config(job.model)
        self.network = build_network(self.model)
        config = job.training
        if config.mixed_precision:
            self.network.use_mixed_precision()
        # One process decides: unlike processors may draw unlike weights.
        self.network.load_state_dict(ranks.tell(self.network.state_dict()))
        self.network.to(ranks.device).train()
        self.trainable = [p for p in self.network.parameters() if p.requires_grad]
        self.optimiser = build_optimiser(self.network, config)
        self.rate = LearningRate(config, 1, _REHEARSED)
        self.average = MovingAverage(self.network, config.ema_decay)
        self.progress = Progress()
        self.plan: Plan | None = None
        if config.budget_minutes is None and config.learning_rate != "auto":
            assert config.n_epochs is not None
            self.adopt(Plan(batches.n_batches * config.n_epochs, config.learning_rate))
        self._best: dict[str, Tensor] | None = None
        self._identity = _identify(job, data)

    @property
    def last_path(self) -> Path:
        """Where training goes on from."""
        return self.job.out / "checkpoints" / "last.pt"

    @property
    def previous_path(self) -> Path:
        """The one before, for where the last was damaged."""
        return self.last_path.with_name("last.previous.pt")

    @property
    def best_path(self) -> Path:
        """The model to use."""
        return self.job.out / "checkpoints" / "best.pt"

    def adopt(self, plan: Plan) -> None:
        """Train by this plan."""
        self.plan = plan
        self.rate = LearningRate(self.job.training, plan.n_steps, plan.learning_rate)

    @contextmanager
    def rehearsed(self) -> Iterator[None]:
        """Before the first step: take back all that happens in the block."""
        kept = {n: v.detach().clone() for n, v in self.network.state_dict().items()}
        average = {n: v.clone() for n, v in self.average.state_dict().items()}
        progress, random = replace(self.progress), torch.get_rng_state()
        try:
            yield
        finally:
            self.network.load_state_dict(kept)
            self.network.zero_grad()
            self.average.load_state_dict(average)
            self.optimiser = build_optimiser(self.network, self.job.training)
            self.progress = progress
            torch.set_rng_state(random)

    def set_rate(self, rate: float | None = None) -> float:
        """Give the optimiser the rate of the next step, or another."""
        rate = self.rate.at(self.progress.step) if rate is None else rate
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        return rate

    def write_best(self) -> None:
        """Write the averaged weights as the model to use."""
        with self.average.applied():
            self._best = {
                name: value.detach().cpu().clone()
                for name, value in self.network.state_dict().items()
            }
        self._write_best(self._best, self.progress)

    def write_last(self) -> None:
        """Write all that an exact resume needs."""
        training = {
            "identity": self._identity,
            "optimiser": self.optimiser.state_dict(),
            "rate": self.rate.state_dict(),
            "average": self.average.state_dict(),
            "progress": vars(self.progress),
            "torch_rng": torch.get_rng_state(),
            "best": self._best,
            "plan": None if self.plan is None else asdict(self.plan),
        }
        self._write(
            self.last_path, training, self.network.state_dict(), self.progress,
            self.previous_path,
        )  # fmt: skip

    def restore(self) -> bool:
        """Take up ``last.pt`` where it is of this very job; say whether it was.

        The first process reads it and tells the others, however many there are. Where
        it is damaged, the one before serves; damaged files are kept under another name.
        """
        content = self._ranks.tell(self._read_last() if self._ranks.is_first else None)
        if content is None:
            if self._ranks.is_first:
                self._open(self.best_path)  # it may be somebody's, and not ours
            return False
        training = content["training"]
        self.network.load_state_dict(content["weights"])
        self.optimiser.load_state_dict(training["optimiser"])
        if training.get("plan") is not None:  # older versions had none
            self.adopt(Plan(**training["plan"]))
        self.rate.load_state_dict(training["rate"])
        self.average.load_state_dict(training["average"])
        self.progress = Progress(**training["progress"])
        torch.set_rng_state(training["torch_rng"])
        self._best = training["best"]
        return True

    def _read_last(self) -> dict[str, Any] | None:
        content = self._open(self.last_path)
        if content is None:
            content = self._open(self.previous_path)
            if content is None:
                return None
            _log.warning("going on from the checkpoint before the last")
        training = content["training"]
        if training is None or training["identity"] != self._identity:
            _log.warning(
                "starting from scratch: the checkpoint is of other data or settings"
            )
            return None
        progress = Progress(**training["progress"])
        training.setdefault("best", None)  # older versions had it in best.pt alone
        if not progress.best_epoch:
            return content
        there = self._open(self.best_path)
        if there is not None and training["best"] is None:
            training["best"] = there["weights"]
        if training["best"] is None:
            _log.warning("starting from scratch: there is no %s", self.best_path)
            return None
        if there is None:
            _log.warning("writing %s again, from the last checkpoint", self.best_path)
            at_best = replace(progress, epoch=progress.best_epoch)
            self._write_best(training["best"], at_best)
        return content

    def _open(self, path: Path) -> dict[str, Any] | None:
        """Read a checkpoint, None if there is none; what is none is put aside."""
        if not path.exists():
            return None
        try:
            return read_checkpoint(path)
        except (DamagedCheckpointError, ForeignCheckpointError) as error:
            damaged = isinstance(error, DamagedCheckpointError)
            kept = set_aside(path, "damaged" if damaged else "other")
            _log.warning("%s It is kept as %s.", error, kept.name)
            return None

    def _write_best(self, weights: dict[str, Tensor], progress: Progress) -> None:
        self._write(self.best_path, None, weights, progress)

    def _write(
        self, path: Path, training: dict[str, Any] | None, weights: dict[str, Tensor],
        progress: Progress, keep: Path | None = None,
    ) -> None:  # fmt: skip
        proteins = {
            protein.key: {
                "residues": protein.residues,
                "prior_sha256": protein.prior_sha256,
                "prior_yaml": protein.prior_yaml,
                "mapping_json": protein.mapping_json,
            }
            for protein in self._data.proteins
        }
        provenance = {
            "dataset": str(self.job.dataset),
            "dataset_sha256": self._data.fingerprint,
            "weights": self._data.weights,
            "seed": self.job.seed,
            "training": self.job.training.model_dump(mode="json"),
            "plan": None if self.plan is None else asdict(self.plan),
            "epoch": progress.epoch,
            "validation_loss": progress.best,
        }
        write_checkpoint(
            path, self.model.model_dump(mode="json"), weights, training,
            keep=keep, proteins=proteins, provenance=provenance,
        )  # fmt: skip


def _identify(job: TrainingJob, data: TrainingData) -> str:
    """Return a hash of what decides the result: settings, seed and data.

    Settings at their defaults do not count, so that a later version, which has more of
    them, goes on.
    """
    settings = {
        "model": read_config(job.model).model_dump(mode="json", exclude_defaults=True),
        "training": job.training.model_dump(
            mode="json", exclude={"checkpoint_seconds"}, exclude_defaults=True
        ),
        "seed": job.seed,
        "data": data.fingerprint,
        "beads": [protein.embeddings.tolist() for protein in data.proteins],
    }
    return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()
