"""Where a training stopped, and whether more of it would help."""

import json
import logging
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from apps.science.learning.ending import describe_ending, fit_line
from apps.science.learning.loop import train
from apps.science.tasks.force_matching.config import TrainingJob

Make = Callable[..., TrainingJob]
EPOCHS = np.arange(1, 31, dtype=float)
NOISE = 0.02 * np.random.default_rng(3).normal(size=30)


def describe(validation: np.ndarray, train: np.ndarray, **settings: Any) -> Any:
    history = [
        {"train_loss": t, "val_loss_weighted": v, "seconds": 2.0}
        for t, v in zip(train, validation, strict=True)
    ]
    asked = {
        "stopped": "epochs", "own": "val_loss_weighted", "learning_rate": 1e-3,
        "patience": 30, "budget_minutes": None,
    }  # fmt: skip
    return describe_ending(history, **(asked | settings))


def test_a_loss_that_still_falls_asks_for_more() -> None:
    loss = 60 + 10 * np.exp(-EPOCHS / 20) + NOISE
    found = describe(loss, loss)
    assert (found.trend, found.would_help, found.best_epoch) == ("falling", True, 30)
    exact = 10 * (np.exp(-30 / 20) - np.exp(-21 / 20)) / 9
    assert found.trend_per_epoch == pytest.approx(exact, abs=3 * found.trend_error)
    assert "was still falling, by 0.1" in found.sentence
    assert "after all its epochs" in found.sentence
    assert found.minutes == pytest.approx(1)


def test_a_loss_that_has_settled_is_flat() -> None:
    loss = 60 + 10 * np.exp(-EPOCHS / 2) + NOISE
    found = describe(loss, loss, stopped="budget", budget_minutes=5)
    assert (found.trend, found.would_help) == ("flat", False)
    assert "when its budget of 5 min was used" in found.sentence
    assert "more epochs would change little" in found.sentence


def test_a_rise_while_training_falls_is_overfit_since_the_best() -> None:
    loss = 60 + 10 * np.exp(-EPOCHS / 3) + 0.05 * np.maximum(EPOCHS - 12, 0) + NOISE
    found = describe(loss, 70 - EPOCHS, stopped="patience", patience=8)
    assert (found.trend, found.would_help) == ("overfit", False)
    assert found.overfit_since == found.best_epoch
    assert 9 <= found.best_epoch <= 15
    assert f"has risen since epoch {found.best_epoch}" in found.sentence
    # steps that are too large spoil both
    assert describe(loss, 60 + EPOCHS).trend == "flat"


def test_without_frames_that_validate_the_training_loss_is_looked_at() -> None:
    nothing = np.full(30, np.nan)
    found = describe(nothing, 60 + 10 * np.exp(-EPOCHS / 20) + NOISE)
    assert (found.trend, found.validated) == ("falling", False)
    assert "no frame validates" in found.sentence


@pytest.mark.parametrize("n", [1, 2, 3])
def test_few_epochs_tell_little(n: int) -> None:
    loss = 60 - EPOCHS[:n]
    found = describe(loss, loss)
    assert (found.trend, found.epochs) == ("falling", n)
    assert "too few" in found.sentence


@pytest.mark.random_outcome
def test_the_slope_of_noise_has_its_error(margin) -> None:
    rng = np.random.default_rng(5)
    lines = [fit_line(rng.normal(size=30)) for _ in range(300)]
    told = float(np.sqrt(np.mean([one.error**2 for one in lines])))
    spread = np.std([one.slope for one in lines])
    margin("error / spread", told / spread, near=1, within=0.3)


def test_the_ending_is_written_and_logged(
    make_job: Make, caplog: pytest.LogCaptureFixture
) -> None:
    job = make_job("ending")
    with caplog.at_level(logging.INFO):
        assert train(job)
    path = job.out / "ending.json"
    found = json.loads(path.read_text())
    assert (found["stopped"], found["epochs"]) == ("epochs", 4)
    assert found["learning_rate"] == job.training.learning_rate
    assert found["sentence"] in caplog.text
    # 80 frames of 4 beads for a network of some thousands of weights
    assert found["warning"].startswith("The set is small for this model")
    assert caplog.text.index(found["warning"]) < caplog.text.index("epoch 1:")
    before = path.read_bytes()
    assert train(job)
    assert path.read_bytes() == before


def test_what_ended_it_is_told(make_job: Make) -> None:
    job = make_job(
        "stall", n_epochs=50, patience=2, learning_rate=1e-12, learning_rate_min=0.0
    )
    assert train(job)
    assert json.loads((job.out / "ending.json").read_text())["stopped"] == "patience"
    job = make_job("timed", n_epochs=None, budget_minutes=1e-7)
    assert train(job)
    assert json.loads((job.out / "ending.json").read_text())["stopped"] == "budget"
