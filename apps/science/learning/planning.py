"""What is decided before the first step, by steps that are taken back."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from apps.science.arrays import IntArray
from apps.science.learning.plan import Plan, Stopwatch, plan_budget, time_steps
from apps.science.learning.ranks import Ranks
from apps.science.learning.rate_finder import (
    FIRST_EPOCH,
    MEASURED,
    N_SWEEPS,
    choose_rate,
    join_rates,
    sweep_rates,
)
from apps.science.learning.state import TrainingState

Step = Callable[[IntArray, float | None], bool]
"""Takes a step of a batch, of the schedule's rate or another; says whether to stop."""


def make_plan(
    state: TrainingState,
    ranks: Ranks,
    take_step: Step,
    validate: Callable[[int], Any],
    say: Callable[[float, str], None],
) -> Plan | None:
    """Decide rate and number of steps; return None where told to stop.

    Parameters
    ----------
    validate : so many samples at most
    say : seconds left, and what is done
    """
    task, config = state.task, state.job.training
    clock, rate, used_s = Stopwatch(ranks), config.learning_rate, 0.0

    def rehearse(batch: IntArray, rate: float | None = None) -> bool:
        stop = take_step(batch, rate)
        state.progress.step += 1  # parts that are not due in every step take turns
        return stop

    def validate_some(most: int) -> float:
        validate(most)
        return task.share_validated(most)

    if rate == "auto":
        began = clock.read()
        say(0.0, "looking for a learning rate")
        found = find_rate(state, ranks, rehearse)
        if found is None:
            return None
        rate, used_s = found, clock.read() - began
    if config.budget_minutes is None:
        assert config.n_epochs is not None
        return Plan(config.n_epochs * task.n_batches, rate)
    budget_s = config.budget_minutes * 60
    say(budget_s, "timing a few steps")
    with state.rehearsed():
        timed = time_steps(task.batches(0), rehearse, validate_some, budget_s, ranks)
    if timed is None:
        return None
    return plan_budget(config, task.n_batches, rate, timed, ranks.tell(used_s))


def find_rate(state: TrainingState, ranks: Ranks, take_step: Step) -> float | None:
    """Return the rate that range tests find; None where told to stop."""
    task, found = state.task, []
    for sweep in range(FIRST_EPOCH, FIRST_EPOCH + N_SWEEPS):
        batches = task.batches(sweep)
        followed = np.concatenate(task.batches(sweep + N_SWEEPS))[:MEASURED]

        def measure(followed: IntArray = followed) -> float:
            total, count = sum_loss(state, ranks, followed).tolist()
            return float(total / max(count, 1e-300))

        with state.rehearsed():
            losses = sweep_rates(batches, take_step, measure, ranks)
        if losses is None:
            return None
        found.append(choose_rate(*losses))
    return ranks.tell(join_rates(found))


def sum_loss(state: TrainingState, ranks: Ranks, batch: IntArray) -> Tensor:
    """Return loss and count of some samples over all ranks, with the weights as now."""
    at = (state.progress.epoch, state.progress.batch)
    sums = torch.zeros(2, dtype=torch.float64, device=ranks.device)
    for share in state.task.loss(state.network, state.first, batch, at):
        sums += torch.stack([share.loss.detach(), share.count])
    return ranks.sum(sums)
