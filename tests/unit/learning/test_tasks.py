"""What the loop asks of any task, of one of weft's and of one that lies outside it.

The one outside has two parts, two optimisers and an answer that is known; see
outside/moments.py. It is named by its import path.
"""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from apps.contracts.tasks import (
    TaskContract,
    check_same_bits,
    read_table,
    read_weights,
)
from apps.science.cg.checkpoint import load_network
from apps.science.errors import ConfigError, UnknownKindError
from apps.science.learning.checkpoint import read_checkpoint
from apps.science.learning.checkpoint_file import ForeignCheckpointError
from apps.science.learning.config import Job, LoopConfig
from apps.science.learning.loop import train
from apps.science.learning.ranks import Ranks
from apps.science.learning.state import TrainingState
from apps.science.learning.task import Part, load_task

sys.path.insert(0, str(Path(__file__).parents[2]))
from cut_training import stop_after

HERE = Path(__file__).parent
MEAN, SPREAD = np.array([0.5, -0.3]), np.array([0.7, 1.2])
N_SAMPLES = 512
Make = Callable[..., Job]


@pytest.fixture
def make_moments(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Make:
    """Return what makes a job that learns the moments of numbers."""
    monkeypatch.syspath_prepend(HERE)
    z = np.random.default_rng(5).normal(size=(N_SAMPLES, 2))
    np.save(tmp_path / "samples.npy", MEAN + SPREAD * z)

    def make(name: str, **training: Any) -> Job:
        settings = {"n_epochs": 4, "batch_size": 64, "warmup_steps": 2} | training
        job: Job = load_task("outside.moments").Job(
            task="outside.moments", data=tmp_path / "samples.npy", out=tmp_path / name,
            seed=7, device="cpu", training=LoopConfig(**settings),
        )  # fmt: skip
        return job

    return make


class TestForceMatching(TaskContract):
    @pytest.fixture
    def make(self, make_job: Make) -> Make:
        return make_job


class TestMoments(TaskContract):
    @pytest.fixture
    def make(self, make_moments: Make, monkeypatch: pytest.MonkeyPatch) -> Make:
        monkeypatch.setenv("PYTHONPATH", str(HERE))  # of processes that are started
        return make_moments


@pytest.mark.random_outcome
def test_an_adversarial_model_learns_the_moments_of_its_data(
    make_moments: Make, margin
) -> None:
    settings = {"n_epochs": 100, "patience": 100, "learning_rate": 0.03}
    job = make_moments("learnt", **settings)
    assert train(job)
    samples = np.load(job.data)[::2]
    learnt = read_weights(job, "last")
    exact = {"mean": samples.mean(axis=0), "spread": samples.std(axis=0)}
    for name, value in exact.items():
        off = np.abs(learnt[f"generator.{name}"].numpy() - value).max()
        margin(f"{name} off", float(off), below=0.1)
    margin("critic", learnt["critic.weight"].norm().item(), below=0.2)
    rows = read_table(job)
    columns = "epoch train_loss val_loss critic learning_rate train_loss_drawer"
    assert list(rows[0]) == columns.split()
    fell = float(rows[-1]["val_loss"]) / float(rows[0]["val_loss"])
    margin("last / first validation", fell, below=0.5)
    ending = json.loads((job.out / "ending.json").read_text())
    assert ending["units"] == ""
    assert "stopped after all its epochs" in ending["sentence"]


@pytest.mark.parametrize("n_steps", [1, 6])
@pytest.mark.parametrize("schedule", ["cosine", "plateau"])
def test_two_parts_that_are_stopped_resume_as_if_never_stopped(
    make_moments: Make, monkeypatch: pytest.MonkeyPatch, n_steps: int, schedule: str
) -> None:
    settings = {"schedule": schedule, "plateau_patience": 1, "batch_size": 50}
    whole, cut = make_moments("whole", **settings), make_moments("cut", **settings)
    assert train(whole)
    with monkeypatch.context() as patch:
        stop_after(patch, n_steps)
        assert not train(cut)
    assert train(cut)
    check_same_bits(whole, cut)


def test_the_checkpoint_of_another_task_is_no_force_field(make_moments: Make) -> None:
    job = make_moments("other", n_epochs=1)
    assert train(job)
    content = read_checkpoint(job.out / "checkpoints" / "best.pt")
    assert content["n_dim"] == 2
    assert content["provenance"]["task"] == "outside.moments"
    assert content["provenance"]["data"] == str(job.data)
    with pytest.raises(ForeignCheckpointError, match="has no model"):
        load_network(job.out / "checkpoints" / "best.pt")


def test_a_budget_is_planned_for_parts_that_take_turns(make_moments: Make) -> None:
    job = make_moments("budget", n_epochs=None, budget_minutes=1e-7)
    assert train(job)
    assert len(read_table(job)) == 1


def test_a_rate_by_range_test_is_refused_where_two_losses_pull(
    make_moments: Make,
) -> None:
    with pytest.raises(ConfigError, match=r"has 2 \(critic, drawer\)\. Give a number"):
        train(make_moments("auto", learning_rate="auto"))


@pytest.mark.parametrize("wrong", ["none", "both"])
def test_parts_share_all_that_can_be_trained(make_moments: Make, wrong: str) -> None:
    job, ranks = make_moments("parts"), Ranks(0, 1, "cpu")
    task = load_task(job.task).Task(job, ranks)

    def parts(network: Any) -> list[Part]:
        sgd = lambda: torch.optim.SGD(network.critic.parameters(), lr=1)  # noqa: E731
        return [Part("a", sgd), *([Part("b", sgd)] if wrong == "both" else [])]

    task.parts = parts
    words = {"none": "generator.mean is of no part", "both": "the parts a and b"}
    with pytest.raises(ConfigError, match=words[wrong]):
        TrainingState(job, task, ranks)


def test_a_task_that_is_not_there_is_said(make_moments: Make) -> None:
    with pytest.raises(UnknownKindError, match="exist are force_matching"):
        load_task("matching")
    with pytest.raises(UnknownKindError, match="see PYTHONPATH"):
        load_task("nowhere.to_be_found")
    with pytest.raises(UnknownKindError, match="has no Job"):
        load_task("os.path")
