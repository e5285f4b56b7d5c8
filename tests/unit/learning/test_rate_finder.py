"""``learning_rate: auto``: a range test that leaves nothing but the rate."""

import json
import os
import signal
from collections.abc import Callable

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from apps.science.cg.checkpoint import read_checkpoint
from apps.science.learning import loop
from apps.science.learning.loop import train
from apps.science.learning.rate_finder import RATES, choose_rate, join_rates
from apps.science.tasks.force_matching.config import TrainingConfig, TrainingJob

Make = Callable[..., TrainingJob]
STEPS = np.log10(RATES)


def test_the_rate_is_where_the_loss_falls_fastest_before_it_rises() -> None:
    steepest, rise = -3.0, -2.0
    loss = 70 - 2 / (1 + np.exp(-(STEPS - steepest) / 0.3))
    spoilt = np.where(rise < STEPS, loss + 1, loss)
    spoilt = np.where(rise + 0.5 < STEPS, loss - 50, spoilt)  # falls again, later
    rate = choose_rate(spoilt.tolist(), 70.0)
    assert rate is not None
    assert np.log10(rate) == pytest.approx(steepest, abs=0.15)
    # a sweep that ends in what is no number ends the descent as a rise does
    cut = [*loss[:30].tolist(), float("nan")]
    found = choose_rate(cut, 70.0)
    assert found is not None
    assert found <= RATES[29]


def test_a_loss_that_does_not_fall_says_nothing() -> None:
    assert choose_rate((70 + STEPS * 0).tolist(), 70.0) is None
    assert choose_rate((70 + np.exp(STEPS)).tolist(), 70.0) is None
    assert choose_rate([], 70.0) is None
    assert join_rates([None, None]) == 1e-3
    assert join_rates([1e-3, None, 4e-3]) == 2e-3
    assert join_rates([1.234567e-3]) == 1.2e-3


def read_best(job: TrainingJob) -> dict[str, torch.Tensor]:
    found: dict[str, torch.Tensor] = read_checkpoint(
        job.out / "checkpoints" / "best.pt"
    )["weights"]
    return found


def test_a_training_goes_on_with_its_rate_as_if_it_had_been_written(
    make_job: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    auto = make_job("auto", learning_rate="auto")
    plain, taken = loop.Training._between_steps, 0

    def stop_soon(self: loop.Training) -> None:
        nonlocal taken
        taken += 1
        if taken == 3:
            os.kill(os.getpid(), signal.SIGTERM)
        plain(self)

    with monkeypatch.context() as patch:
        patch.setattr(loop.Training, "_between_steps", stop_soon)
        assert not train(auto)
    last = read_checkpoint(auto.out / "checkpoints" / "last.pt")
    rate = last["training"]["plan"]["learning_rate"]
    assert 1e-5 < rate < 1
    assert train(auto)
    assert json.loads((auto.out / "ending.json").read_text())["learning_rate"] == rate
    fixed = make_job("fixed", learning_rate=rate)
    assert train(fixed)
    one, two = read_best(auto), read_best(fixed)
    assert all(torch.equal(one[name], two[name]) for name in one)
    tables = [(job.out / "metrics.csv").read_text() for job in (auto, fixed)]
    losses = [[line.split(",")[:5] for line in t.splitlines()] for t in tables]
    assert losses[0] == losses[1]


@pytest.mark.slow
def test_two_processes_find_one_rate(make_job: Make, run_ranks) -> None:
    alone, both = (make_job(n, learning_rate="auto") for n in ("alone", "both"))
    assert train(alone)
    run_ranks(both, 2)
    rates = [
        read_checkpoint(job.out / "checkpoints/last.pt")["training"]["plan"][
            "learning_rate"
        ]
        for job in (alone, both)
    ]
    assert rates[1] == pytest.approx(rates[0], rel=0.5)
    for name, value in read_best(both).items():
        assert torch.isfinite(value.float()).all(), name


def test_what_is_no_rate_is_refused_in_words() -> None:
    for value in ("quick", 0, 2, None, True):
        with pytest.raises(ValidationError, match="at most 1, or auto"):
            TrainingConfig(learning_rate=value)
    assert TrainingConfig(learning_rate="1e-3").learning_rate == 1e-3
