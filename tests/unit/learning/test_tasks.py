"""What the loop asks of any task, of one of weft's and of one that lies outside it.

The one outside has two parts, two optimisers and an answer that is known; see
outside/moments.py. It is named by its import path.
"""

import csv
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from apps.science.cg.checkpoint import load_network
from apps.science.errors import ConfigError, UnknownKindError
from apps.science.learning.checkpoint import read_checkpoint
from apps.science.learning.checkpoint_file import ForeignCheckpointError
from apps.science.learning.config import Job, LoopConfig
from apps.science.learning.launch import training_command
from apps.science.learning.loop import train
from apps.science.learning.ranks import Ranks
from apps.science.learning.state import TrainingState
from apps.science.learning.task import Part, load_task

sys.path.insert(0, str(Path(__file__).parents[2]))
from cut_training import stop_after

HERE = Path(__file__).parent
MEAN, SPREAD = np.array([0.5, -0.3]), np.array([0.7, 1.2])
N_SAMPLES = 512
DURATIONS = {"seconds", "frames_per_second"}
TASKS = ["force_matching", "outside.moments"]
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


@pytest.fixture(params=TASKS)
def make(request: pytest.FixtureRequest, make_job: Make, make_moments: Make) -> Make:
    """Return what makes a job of either task."""
    return make_job if request.param == "force_matching" else make_moments


def build(job: Job, rank: int = 0, size: int = 1) -> Any:
    return load_task(job.task).Task(job, Ranks(rank, size, "cpu"))


def read_table(job: Job) -> list[dict[str, str]]:
    """Return metrics.csv without durations."""
    with (job.out / "metrics.csv").open() as table:
        rows = list(csv.DictReader(table))
    return [{k: v for k, v in row.items() if k not in DURATIONS} for row in rows]


def read_weights(job: Job, name: str = "best") -> dict[str, torch.Tensor]:
    path = job.out / "checkpoints" / f"{name}.pt"
    weights: dict[str, torch.Tensor] = read_checkpoint(path)["weights"]
    return weights


def check_same_bits(one: Job, two: Job) -> None:
    assert read_table(one) == read_table(two)
    for name in ("best", "last"):
        first, second = read_weights(one, name), read_weights(two, name)
        assert all(torch.equal(first[key], second[key]) for key in first)


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
    assert float(rows[-1]["val_loss"]) < 0.1 * float(rows[0]["val_loss"])
    ending = json.loads((job.out / "ending.json").read_text())
    assert ending["units"] == ""
    assert "stopped after all its epochs" in ending["sentence"]


def test_batches_follow_from_seed_and_epoch(make: Make) -> None:
    one, two = build(make("a")), build(make("b"), rank=1, size=2)
    for epoch in (0, 3):
        batches = one.batches(epoch)
        assert len(batches) == one.n_batches
        assert sum(map(len, batches)) == one.n_samples
        for mine, other in zip(batches, two.batches(epoch), strict=True):
            np.testing.assert_array_equal(mine, other)
    assert not np.array_equal(one.batches(0)[0], one.batches(1)[0])


def test_the_shares_of_ranks_are_the_whole(make: Make) -> None:
    job = make("shares")
    whole, parts = build(job), [build(job, rank, 3) for rank in range(3)]
    torch.manual_seed(1)
    network = whole.build()
    batch = whole.batches(2)[1]
    for part in whole.parts(network):
        sums = [
            sum(
                torch.stack([share.loss.detach(), share.count])
                for share in one.loss(network, part.name, batch, (2, 1))
            )
            for one in (whole, *parts)
        ]
        torch.testing.assert_close(sum(sums[1:]), sums[0], rtol=1e-5, atol=1e-6)


def test_what_a_task_says_of_itself_is_plain(make: Make, tmp_path: Path) -> None:
    task = build(make("plain"))
    network = task.build().eval()
    found = task.validate(network, None)
    assert set(task.columns) <= set(found)
    assert task.score in task.columns
    assert 0 < task.share_validated(3) < 1
    json.dumps(dict(task.identity()))
    torch.save(dict(task.payload()), tmp_path / "payload.pt")
    torch.load(tmp_path / "payload.pt", weights_only=True)


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


@pytest.mark.slow
def test_a_killed_training_ends_with_the_bits_of_one_that_was_not(
    make: Make, write_job: Callable[[Job], Path]
) -> None:
    whole, cut = (make(name, n_epochs=40, patience=40) for name in ("whole", "killed"))
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(HERE)}
    command = training_command(write_job(cut), 1, {})
    with subprocess.Popen(command, stderr=subprocess.DEVNULL, env=environment) as begun:
        while begun.poll() is None and not (cut.out / "checkpoints/best.pt").exists():
            time.sleep(0.002)
        begun.kill()
    assert begun.returncode == -signal.SIGKILL
    subprocess.run(command, stderr=subprocess.DEVNULL, env=environment, check=True)
    assert train(whole)
    assert len(read_table(whole)) == 40
    check_same_bits(whole, cut)


@pytest.mark.slow
def test_two_ranks_train_two_parts_as_one_does(make_moments: Make, run_ranks) -> None:
    one, two = make_moments("one"), make_moments("two")
    assert train(one)
    run_ranks(two, 2, PYTHONPATH=str(HERE))
    for mine, theirs in zip(read_table(one), read_table(two), strict=True):
        for name, value in mine.items():
            assert float(theirs[name]) == pytest.approx(float(value), rel=1e-4), name
    first, second = read_weights(one), read_weights(two)
    for name, value in first.items():
        torch.testing.assert_close(second[name], value, rtol=1e-4, atol=1e-5)


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
