"""A budget of time: what fits is decided once, and all else is exact."""

import csv
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from apps.science.cg.checkpoint import read_checkpoint
from apps.science.learning import planning
from apps.science.learning.loop import train
from apps.science.learning.plan import count_steps
from apps.science.tasks.force_matching.config import TrainingConfig, TrainingJob

sys.path.insert(0, str(Path(__file__).parents[2]))
from cut_training import read_losses, stop_after

Make = Callable[..., TrainingJob]
BUDGET = {"n_epochs": None, "budget_minutes": 0.005, "patience": 100_000}


def test_a_budget_takes_the_place_of_epochs_that_nobody_gave() -> None:
    assert TrainingConfig(budget_minutes=5).n_epochs is None
    assert TrainingConfig(budget_minutes=5, n_epochs=7).n_epochs == 7
    assert TrainingConfig().n_epochs == 50
    with pytest.raises(ValidationError, match="would have no end"):
        TrainingConfig(n_epochs=None)
    written = TrainingConfig(budget_minutes=5).model_dump(mode="json")
    assert TrainingConfig.model_validate(written).n_epochs is None


@pytest.mark.parametrize(
    ("budget_s", "n_steps"),
    [
        (60.0, 60 * 8),  # whole epochs of 0.8 s and 0.2 s
        (60.4, 60 * 8),
        (2.5, 19),  # two epochs and 0.3 s of a third, after three validations
        (0.5, 3),
        (0.001, 1),
    ],
)
def test_what_fits_is_counted(budget_s: float, n_steps: int) -> None:
    assert count_steps(budget_s, 0.1, 0.2, n_batches=8) == n_steps


def read_plan(job: TrainingJob) -> dict[str, float]:
    plan: dict[str, float] = read_checkpoint(job.out / "checkpoints/last.pt")[
        "training"
    ]["plan"]
    return plan


def check_alike(one: TrainingJob, two: TrainingJob) -> None:
    np.testing.assert_array_equal(read_losses(one), read_losses(two))
    weights = [
        read_checkpoint(job.out / "checkpoints" / "best.pt")["weights"]
        for job in (one, two)
    ]
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])


def test_a_planned_training_that_is_cut_ends_as_one_of_as_many_epochs(
    make_job: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And so as one that is not cut: what was timed leaves no trace but the number."""
    plain = planning.time_steps

    def time_as_on_one_machine(*arguments: Any) -> tuple[float, float]:
        assert min(plain(*arguments) or ()) > 0
        return 0.1, 0.1

    monkeypatch.setattr(planning, "time_steps", time_as_on_one_machine)
    cut = make_job("cut", **BUDGET | {"budget_minutes": 0.105})
    with monkeypatch.context() as patch:
        stop_after(patch, 8)
        assert not train(cut)
    plan = read_plan(cut)
    assert train(cut)
    assert read_plan(cut) == plan
    n_epochs = len(read_losses(cut))
    assert n_epochs * 5 == plan["n_steps"]  # 80 frames in batches of 16
    assert n_epochs == 10
    whole = make_job("whole", n_epochs=n_epochs, patience=100_000)
    assert train(whole)
    check_alike(cut, whole)
    with (cut.out / "metrics.csv").open() as table:
        last = float(list(csv.DictReader(table))[-1]["learning_rate"])
    assert last == pytest.approx(cut.training.learning_rate_min, rel=0.5)


def test_an_epoch_longer_than_the_budget_is_cut_and_validated(make_job: Make) -> None:
    job = make_job("long", n_epochs=None, budget_minutes=1e-7, batch_size=1)
    progress = job.out / "progress.json"
    assert train(job.model_copy(update={"progress": progress}))
    assert read_plan(job)["n_steps"] == 1
    assert np.isfinite(read_losses(job)).all()
    assert len(read_losses(job)) == 1
    told = json.loads(progress.read_text())
    assert told["done"] == told["total"] == 1


def test_epochs_end_a_training_before_its_budget(make_job: Make) -> None:
    job = make_job("both", n_epochs=3, budget_minutes=1)
    same = make_job("epochs", n_epochs=3)
    assert train(job)
    assert train(same)
    check_alike(job, same)


def test_a_training_stopped_while_it_is_timed_plans_when_it_goes_on(
    make_job: Make, monkeypatch: pytest.MonkeyPatch, tmp_path
) -> None:
    (tmp_path / "stop").touch()
    job = make_job("asked", **BUDGET)
    monkeypatch.setenv("WEFT_RUN_DIR", str(tmp_path))
    assert not train(job)
    assert read_plan(job) is None
    monkeypatch.delenv("WEFT_RUN_DIR")
    assert train(job)
    assert read_plan(job)["n_steps"] > 0


@pytest.mark.slow
def test_two_processes_keep_to_one_plan(make_job: Make, run_ranks) -> None:
    job = make_job("two", **BUDGET)
    run_ranks(job, 2)
    n_steps = read_plan(job)["n_steps"]
    last = read_checkpoint(job.out / "checkpoints/last.pt")["training"]["progress"]
    assert last["finished"]
    assert last["step"] == n_steps
