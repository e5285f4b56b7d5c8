"""What a task is: all that the loop asks of what is learnt.

A task is a file ``apps/science/tasks/<kind>.py``, or a folder there with ``task.py``,
which has a ``Job`` (a subclass of ``config.Job`` with what the task needs) and a
``Task``, made of a job and the ranks that train together. docs/add-a-task.md has more.
"""

import importlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any, ClassVar, Final

from torch import Tensor, nn
from torch.optim import Optimizer

from apps.science import plugins
from apps.science.arrays import IntArray
from apps.science.errors import UnknownKindError
from apps.science.learning.config import Job
from apps.science.learning.ranks import Ranks
from apps.science.learning.schedule import build_optimiser

PACKAGE: Final = "apps.science.tasks"


@dataclass(frozen=True)
class Part:
    """Parameters that one optimiser steps; an adversarial model has two of these.

    Attributes
    ----------
    name : of the part, handed to ``Task.loss``
    build : makes its optimiser anew; the loop gives every step its learning rate
    every : it is stepped in each so manyth step, beginning with the first
    rate : its learning rate, as a factor of the schedule's
    """

    name: str
    build: Callable[[], Optimizer]
    every: int = 1
    rate: float = 1.0


@dataclass(frozen=True)
class Share:
    """A piece of a batch's loss, of this process alone.

    Attributes
    ----------
    loss : (), a sum over samples, differentiable
    count : (), what the sum is divided by where it is told: samples, or their weights
    """

    loss: Tensor
    count: Tensor


class Task(ABC):
    """What is learnt, with its data, on one of the ranks that train together.

    Attributes
    ----------
    columns : of metrics.csv, found by every ``validate``
    units : of the loss, for messages
    remedy : what would help a model that learns its samples by heart
    doubt : where to look when a loss is no number
    n_samples, n_batches : of an epoch
    """

    columns: ClassVar[Sequence[str]] = ("val_loss",)
    units: ClassVar[str] = ""
    remedy: ClassVar[str] = "More data or a smaller model would help"
    doubt: str = "look for outliers in the data"
    n_samples: int
    n_batches: int

    def __init__(self, job: Job, ranks: Ranks) -> None:
        self.job, self.ranks = job, ranks

    @property
    def score(self) -> str:
        """The column that says which epoch is best: the lowest."""
        return self.columns[0]

    @property
    def mean_size(self) -> float:
        """Samples of a mean batch, by which the loss of every batch is divided."""
        return self.n_samples / self.n_batches

    @abstractmethod
    def build(self) -> nn.Module:
        """Return what is trained, untrained; torch's seed decides its weights."""

    def parts(self, network: nn.Module) -> Sequence[Part]:
        """Return the parts of a network, stepped in this order; the first is told.

        By default one, with AdamW, whose settings are the job's.
        """
        return [Part("network", lambda: build_optimiser(network, self.job.training))]

    @abstractmethod
    def batches(self, epoch: int) -> Sequence[IntArray]:
        """Return sample numbers of every batch, by (seed, epoch) alone, on any rank."""

    @abstractmethod
    def loss(
        self, network: nn.Module, part: str, batch: IntArray, at: tuple[int, int]
    ) -> Iterator[Share]:
        """Yield what a part is to make small, of this rank's samples of a batch.

        The gradient of all pieces of all ranks, summed and divided by ``mean_size``, is
        what the part's optimiser is given. Pieces are differentiated one by one.

        Parameters
        ----------
        batch : sample numbers, of all ranks
        at : epoch and batch, both from zero, by which random numbers are drawn
        """

    @abstractmethod
    def validate(self, network: nn.Module, most: int | None) -> Mapping[str, float]:
        """Return ``columns`` and any more, over all ranks, alike on each of them.

        Not a number where nothing validates: the training loss is the score then.

        Parameters
        ----------
        network : with the averaged weights, in ``eval`` mode
        most : samples, of each kind that validates; None for all
        """

    def share_validated(self, most: int) -> float:
        """Return which share of the work ``validate(network, most)`` is."""
        return 1.0

    @abstractmethod
    def identity(self) -> Mapping[str, Any]:
        """Return, as plain values, what a checkpoint must have been made with.

        ``training`` and ``seed`` of the job are looked at by the loop.
        """

    def payload(self) -> Mapping[str, Any]:
        """Return plain values that every checkpoint carries beside its weights.

        Those under ``provenance`` join what the loop says there.
        """
        return {}

    def warn(self, network: nn.Module) -> str:
        """Return a sentence of warning about data and network, empty where none."""
        return ""


def load_task(kind: str) -> ModuleType:
    """Import a task by its kind, or by the import path of a module, with dots.

    Raises
    ------
    UnknownKindError
        If there is no such task.
    """
    if "." not in kind:
        module = plugins.load_kind(PACKAGE, kind)
    else:
        try:
            module = importlib.import_module(kind)
        except ModuleNotFoundError as error:
            raise UnknownKindError(
                f"task: {kind} cannot be imported ({error}). Its folder has to be one "
                "that Python imports from, on every node: see PYTHONPATH."
            ) from None
    if "." not in kind and hasattr(module, "__path__"):
        module = importlib.import_module(f"{module.__name__}.task")
    for name in ("Job", "Task"):
        if not hasattr(module, name):
            raise UnknownKindError(
                f"task: {kind} has no {name}; see docs/add-a-task.md for what a task "
                "has to have."
            )
    return module
