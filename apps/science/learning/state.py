"""Everything that changes while a model trains, saved and restored as one."""

import hashlib
import json
import logging
import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from apps.science.errors import ConfigError
from apps.science.learning.checkpoint import read_checkpoint, write_checkpoint
from apps.science.learning.checkpoint_file import (
    DamagedCheckpointError,
    ForeignCheckpointError,
    set_aside,
)
from apps.science.learning.config import Job
from apps.science.learning.plan import Plan
from apps.science.learning.ranks import Ranks
from apps.science.learning.record import Row
from apps.science.learning.schedule import LearningRate, MovingAverage
from apps.science.learning.task import Part, Task
from apps.science.seeds import derive_seed

_log = logging.getLogger(__name__)

_REHEARSED: Final = 1e-6
"""Learning rate of steps that are taken back."""


@dataclass
class Progress:
    """Where training stands.

    Attributes
    ----------
    epoch, batch : the next batch to take, both from zero
    sums : by part, the sums of loss and count over the epoch so far
    seconds : wall time spent on the epoch so far
    stalled : epochs since the score was best
    """

    epoch: int = 0
    batch: int = 0
    step: int = 0
    sums: dict[str, list[float]] = field(default_factory=dict)
    seconds: float = 0.0
    best: float = float("inf")
    best_epoch: int = 0
    stalled: int = 0
    finished: bool = False
    history: list[Row] = field(default_factory=list)

    def add(self, part: str, loss: float, count: float) -> None:
        """Note what a step of a part found."""
        so_far = self.sums.setdefault(part, [0.0, 0.0])
        so_far[0] += loss
        so_far[1] += count

    def mean(self, part: str) -> float:
        """Return a part's loss over the epoch so far; no number without a step."""
        loss, count = self.sums.get(part, (math.nan, 1.0))
        return loss / max(count, 1e-300)


class TrainingState:
    """A network with its optimisers, schedule, average and place in the epochs."""

    def __init__(self, job: Job, task: Task, ranks: Ranks) -> None:
        torch.manual_seed(derive_seed(job.seed, "network"))
        self.job, self.task, self._ranks = job, task, ranks
        self.network = task.build()
        config = job.training
        # One process decides: unlike processors may draw unlike weights.
        self.network.load_state_dict(ranks.tell(self.network.state_dict()))
        self.network.to(ranks.device).train()
        self.parts = {part.name: part for part in task.parts(self.network)}
        self.optimisers = {name: part.build() for name, part in self.parts.items()}
        self.parameters = _share_out(self.network, self.optimisers)
        self.rate = LearningRate(config, 1, _REHEARSED)
        self.average = MovingAverage(self.network, config.ema_decay)
        self.progress = Progress()
        self.plan: Plan | None = None
        if config.learning_rate == "auto" and len(self.parts) > 1:
            raise ConfigError(
                "training.learning_rate is auto, which follows one loss as it falls; "
                f"{job.task} has {len(self.parts)} ({', '.join(self.parts)}). Give a "
                "number."
            )
        if config.budget_minutes is None and config.learning_rate != "auto":
            assert config.n_epochs is not None
            self.adopt(Plan(task.n_batches * config.n_epochs, config.learning_rate))
        self._best: dict[str, Tensor] | None = None
        self._identity = _identify(job, task)

    @property
    def first(self) -> str:
        """The part whose loss is told."""
        return next(iter(self.parts))

    @property
    def due(self) -> list[Part]:
        """The parts that the next step steps."""
        step = self.progress.step
        return [part for part in self.parts.values() if step % part.every == 0]

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
        progress, random = deepcopy(self.progress), torch.get_rng_state()
        try:
            yield
        finally:
            self.network.load_state_dict(kept)
            self.network.zero_grad()
            self.average.load_state_dict(average)
            self.optimisers = {name: part.build() for name, part in self.parts.items()}
            self.progress = progress
            torch.set_rng_state(random)

    def set_rate(self, rate: float | None = None) -> None:
        """Give the optimisers the rate of the next step, or another."""
        rate = self.rate.at(self.progress.step) if rate is None else rate
        for name, part in self.parts.items():
            for group in self.optimisers[name].param_groups:
                group["lr"] = rate * part.rate

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
            "optimisers": {n: one.state_dict() for n, one in self.optimisers.items()},
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
        for name, state in training["optimisers"].items():
            self.optimisers[name].load_state_dict(state)
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
        self._translate(training)
        progress = Progress(**training["progress"])
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

    def _translate(self, training: dict[str, Any]) -> None:
        """Turn what older versions wrote into what this one does."""
        training.setdefault("best", None)  # it was in best.pt alone
        if "optimiser" in training:  # there was one
            training["optimisers"] = {self.first: training.pop("optimiser")}
        progress = training["progress"]
        if "error_sum" in progress:
            sums = [progress.pop("error_sum"), progress.pop("factor_sum")]
            progress["sums"] = {self.first: sums}

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
        payload = dict(self.task.payload())
        provenance = {
            "task": self.job.task,
            **payload.pop("provenance", {}),
            "seed": self.job.seed,
            "training": self.job.training.model_dump(mode="json"),
            "plan": None if self.plan is None else asdict(self.plan),
            "epoch": progress.epoch,
            "validation_loss": progress.best,
        }
        write_checkpoint(
            path, weights, payload, training, keep=keep, provenance=provenance
        )


def _share_out(
    network: nn.Module, optimisers: Mapping[str, Optimizer]
) -> dict[str, list[nn.Parameter]]:
    """Return the parameters of each part, in the network's order.

    Raises
    ------
    ConfigError
        If one that can be trained is of no part, or of two.
    """
    owner: dict[int, str] = {}
    for name, optimiser in optimisers.items():
        for parameter in (p for g in optimiser.param_groups for p in g["params"]):
            if id(parameter) in owner:
                raise ConfigError(
                    f"A parameter is of the parts {owner[id(parameter)]} and {name} of "
                    "one task; expected each to be of one. Mend the task's parts."
                )
            owner[id(parameter)] = name
    found: dict[str, list[nn.Parameter]] = {name: [] for name in optimisers}
    for where, parameter in network.named_parameters():
        if not parameter.requires_grad:
            continue
        if id(parameter) not in owner:
            raise ConfigError(
                f"The parameter {where} is of no part of the task, so that nothing "
                "would train it. Add it to one, or let it have no gradient."
            )
        found[owner[id(parameter)]].append(parameter)
    return found


def _identify(job: Job, task: Task) -> str:
    """Return a hash of what decides the result: settings, seed and data.

    Settings at their defaults do not count, so that a later version, which has more of
    them, goes on.
    """
    settings = {
        **task.identity(),
        "training": job.training.model_dump(
            mode="json", exclude={"checkpoint_seconds"}, exclude_defaults=True
        ),
        "seed": job.seed,
    }
    return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()
