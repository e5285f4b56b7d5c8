"""How many steps a training takes: of its epochs, or as many as fit into a budget.

A budget is turned into a number of steps once, before the first, from steps that are
taken, timed and taken back. The number is kept in the checkpoint, so that the course
of the learning rate, and all else, is the same however often a training is cut.
"""

import logging
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from apps.science.arrays import IntArray
from apps.science.learning.config import LoopConfig
from apps.science.learning.ranks import Ranks

_log = logging.getLogger(__name__)

_N_WARM: Final = 3
"""Steps that are not timed: what is compiled and loaded is so once."""
_SHARE, _SHORTEST_S, _LONGEST_S = 0.02, 0.3, 5.0
"""Of the budget that is spent on timing, and its bounds."""
_BUSY: Final = 3.0
"""By the clock it is spent on timing so many times as long at most."""
_WHOLE_EPOCHS: Final = 10
"""From so many on, whole epochs are trained; fewer may end within one."""
VALIDATED: Final = 2048
"""Samples of each kind by which validation is timed."""


@dataclass(frozen=True)
class Plan:
    """What is decided before the first step.

    Attributes
    ----------
    n_steps : optimiser steps, at most
    learning_rate : the largest
    step_seconds, validation_seconds : as they were timed; 0 without a budget
    """

    n_steps: int
    learning_rate: float
    step_seconds: float = 0.0
    validation_seconds: float = 0.0


class Stopwatch:
    """Seconds of computing.

    One process on a CPU counts those that its own thread computes, so that a machine
    shared with others fits as many steps; a GPU, and processes that wait for each
    other, count by the clock.
    """

    def __init__(self, ranks: Ranks) -> None:
        alone = ranks.size == 1 and ranks.device == "cpu"
        self.read: Callable[[], float] = time.thread_time if alone else time.monotonic


def count_steps(
    budget_s: float, step_s: float, validation_s: float, n_batches: int
) -> int:
    """Return how many steps fit into a budget, with a validation after each epoch.

    Parameters
    ----------
    budget_s, step_s, validation_s : s
    n_batches : steps of an epoch
    """
    epoch_s = n_batches * step_s + validation_s
    n_epochs = budget_s / max(epoch_s, 1e-12)
    if n_epochs >= _WHOLE_EPOCHS:
        return round(n_epochs) * n_batches
    left = budget_s - math.ceil(n_epochs) * validation_s
    return max(1, int(left / max(step_s, 1e-12) + 1e-6))


def time_steps(
    batches: Sequence[IntArray],
    step: Callable[[IntArray], bool],
    validate: Callable[[int], float],
    budget_s: float,
    ranks: Ranks,
) -> tuple[float, float] | None:
    """Return the seconds of a step and of a validation; None where told to stop.

    Parameters
    ----------
    step : takes one, and says whether to stop
    validate : over so many samples of each kind at most; returns the share of all
    """
    clock = Stopwatch(ranks)
    for frames in batches[:_N_WARM]:
        if step(frames):
            return None
    limit = min(max(_SHARE * budget_s, _SHORTEST_S), _LONGEST_S)
    began, n, end = clock.read(), 0, time.monotonic() + _BUSY * limit
    while not n or not ranks.decide(
        clock.read() - began > limit or time.monotonic() > end
    ):
        if step(batches[n % len(batches)]):
            return None
        n += 1
    step_s = (clock.read() - began) / n
    validate(1)  # what is compiled for it
    began = clock.read()
    share = validate(VALIDATED)
    validation_s = (clock.read() - began) / max(share, 1e-12)
    told: tuple[float, float] = ranks.tell((step_s, validation_s))
    return told


def plan_budget(
    config: LoopConfig, n_batches: int, learning_rate: float,
    timed: tuple[float, float], used_s: float = 0.0,
) -> Plan:  # fmt: skip
    """Return what fits into ``config.budget_minutes``, no more than its epochs.

    Parameters
    ----------
    used_s : of the budget, before the first step
    """
    assert config.budget_minutes is not None
    step_s, validation_s = timed
    budget_s = config.budget_minutes * 60 - used_s
    n_steps = count_steps(budget_s, step_s, validation_s, n_batches)
    _log.info(
        "plan: %d steps, %.4g epochs of %d, fit into %g min (%.3g ms a step, %.3g s "
        "to validate); a resumed training keeps to it",
        n_steps, n_steps / n_batches, n_batches, config.budget_minutes,
        1000 * step_s, validation_s,
    )  # fmt: skip
    if config.n_epochs is not None and config.n_epochs * n_batches < n_steps:
        n_steps = config.n_epochs * n_batches
        _log.info("plan: training.n_epochs ends it before, after %d", config.n_epochs)
    return Plan(n_steps, learning_rate, step_s, validation_s)
