"""Everything that changes while a model trains, saved and restored as one."""

import hashlib
import json
import logging
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from apps.science.errors import DataError
from apps.science.models.base import build_network, read_config
from apps.science.seeds import derive_seed
from apps.science.training.batches import Batches
from apps.science.training.checkpoint import read_checkpoint, write_checkpoint
from apps.science.training.config import TrainingJob
from apps.science.training.data import TrainingData
from apps.science.training.ranks import Ranks
from apps.science.training.record import Row
from apps.science.training.schedule import LearningRate, MovingAverage, build_optimiser

_log = logging.getLogger(__name__)


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
        self.rate = LearningRate(config, batches.n_batches * config.n_epochs)
        self.average = MovingAverage(self.network, config.ema_decay)
        self.progress = Progress()
        self._identity = _identify(job, data)

    @property
    def last_path(self) -> Path:
        """Where training goes on from."""
        return self.job.out / "checkpoints" / "last.pt"

    @property
    def best_path(self) -> Path:
        """The model to use."""
        return self.job.out / "checkpoints" / "best.pt"

    def set_rate(self) -> float:
        """Give the optimiser the rate of the next step."""
        rate = self.rate.at(self.progress.step)
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        return rate

    def write_best(self) -> None:
        """Write the averaged weights as the model to use."""
        with self.average.applied():
            self._write(self.best_path, None)

    def write_last(self) -> None:
        """Write all that an exact resume needs."""
        training = {
            "identity": self._identity,
            "optimiser": self.optimiser.state_dict(),
            "rate": self.rate.state_dict(),
            "average": self.average.state_dict(),
            "progress": vars(self.progress),
            "torch_rng": torch.get_rng_state(),
        }
        self._write(self.last_path, training)

    def restore(self) -> bool:
        """Take up ``last.pt`` where it is of this very job; say whether it was.

        The first process reads it and tells the others, however many there are.
        """
        content = self._ranks.tell(self._read_last() if self._ranks.is_first else None)
        if content is None:
            return False
        training = content["training"]
        self.network.load_state_dict(content["weights"])
        self.optimiser.load_state_dict(training["optimiser"])
        self.rate.load_state_dict(training["rate"])
        self.average.load_state_dict(training["average"])
        self.progress = Progress(**training["progress"])
        torch.set_rng_state(training["torch_rng"])
        return True

    def _read_last(self) -> dict[str, Any] | None:
        if not self.last_path.exists():
            return None
        try:
            content = read_checkpoint(self.last_path)
        except DataError as error:
            _log.warning("starting from scratch: %s", error)
            return None
        training = content["training"]
        if training is None or training["identity"] != self._identity:
            _log.warning(
                "starting from scratch: %s is of other data or settings", self.last_path
            )
            return None
        if training["progress"]["best_epoch"] and not self.best_path.exists():
            _log.warning("starting from scratch: %s is gone", self.best_path)
            return None
        return content

    def _write(self, path: Path, training: dict[str, Any] | None) -> None:
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
            "epoch": self.progress.epoch,
            "validation_loss": self.progress.best,
        }
        write_checkpoint(
            path, self.model.model_dump(mode="json"), self.network.state_dict(),
            training, proteins, provenance,
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
