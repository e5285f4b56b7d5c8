"""Everything that changes while a model trains, saved and restored as one."""

import hashlib
import json
import logging
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from apps.science.errors import DataError
from apps.science.models.base import build_network, read_config
from apps.science.seeds import derive_seed
from apps.science.training.checkpoint import read_checkpoint, write_checkpoint
from apps.science.training.config import TrainingJob
from apps.science.training.data import TrainingData
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

    def __init__(self, job: TrainingJob, data: TrainingData, device: str) -> None:
        torch.manual_seed(derive_seed(job.seed, "network"))
        self.job = job
        self.model = read_config(job.model)
        self.network = build_network(self.model).to(device)
        self.network.train()
        config = job.training
        self.n_batches = -(-len(data.train) // config.batch_size)
        self.optimiser = build_optimiser(self.network, config)
        self.rate = LearningRate(config, self.n_batches * config.n_epochs)
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
            write_checkpoint(self.best_path, self._settings(), self._weights())

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
        write_checkpoint(self.last_path, self._settings(), self._weights(), training)

    def restore(self) -> bool:
        """Take up ``last.pt`` where it is of this very job; say whether it was."""
        if not self.last_path.exists():
            return False
        try:
            content = read_checkpoint(self.last_path)
        except DataError as error:
            _log.warning("starting from scratch: %s", error)
            return False
        training = content["training"]
        if training is None or training["identity"] != self._identity:
            _log.warning(
                "starting from scratch: %s is of other data or settings", self.last_path
            )
            return False
        self.network.load_state_dict(content["weights"])
        self.optimiser.load_state_dict(training["optimiser"])
        self.rate.load_state_dict(training["rate"])
        self.average.load_state_dict(training["average"])
        self.progress = Progress(**training["progress"])
        torch.set_rng_state(training["torch_rng"])
        return True

    def _settings(self) -> dict[str, Any]:
        return self.model.model_dump(mode="json")

    def _weights(self) -> dict[str, torch.Tensor]:
        return self.network.state_dict()


def _identify(job: TrainingJob, data: TrainingData) -> str:
    """Return a hash of what decides the result: settings, seed and data."""
    settings = {
        "model": job.model,
        "training": job.training.model_dump(
            mode="json", exclude={"checkpoint_seconds"}
        ),
        "seed": job.seed,
    }
    digest = hashlib.sha256(json.dumps(settings, sort_keys=True).encode())
    for frames in (data.train, data.validation):
        digest.update(np.ascontiguousarray(frames.weight).tobytes())
        digest.update(frames.positions.cpu().numpy().tobytes())
        digest.update(frames.targets.cpu().numpy().tobytes())
    digest.update(data.embeddings.cpu().numpy().tobytes())
    return digest.hexdigest()
