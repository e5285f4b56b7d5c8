"""The contract of a task: what the loop that trains relies on."""

import csv
import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from torch import Tensor

from apps.science.learning.checkpoint import read_checkpoint
from apps.science.learning.config import Job
from apps.science.learning.launch import training_command
from apps.science.learning.loop import train
from apps.science.learning.ranks import Ranks
from apps.science.learning.task import load_task
from apps.science.plugins import staying_with_folder, use_folder

MakeJob = Callable[..., Job]
DURATIONS = {"seconds", "frames_per_second"}


class TaskContract:
    """What is learnt, on the processor. Overrides: ``make``, maybe ``plugins_folder``.

    The jobs are small: an epoch of a fraction of a second, in at least two batches.
    """

    @pytest.fixture
    def plugins_folder(self) -> Path | None:
        """Return the folder of plug-ins it lies in; None where it is installed."""
        return None

    @pytest.fixture(autouse=True)
    def found(self, plugins_folder: Path | None) -> Iterator[None]:
        """Let kinds of that folder be found, by processes that are started too."""
        with staying_with_folder():
            if plugins_folder is not None:
                use_folder(plugins_folder)
            yield

    @pytest.fixture
    def make(self) -> MakeJob:
        """Return what makes a job, ``make(name, **training)``.

        ``name`` is of its folder ``out``, below ``tmp_path``; ``device`` is cpu.
        """
        raise NotImplementedError("Override the fixture `make`: return a function.")

    def test_batches_follow_from_seed_and_epoch(self, make: MakeJob) -> None:
        one, two = build(make("a")), build(make("b"), rank=1, size=2)
        for epoch in (0, 3):
            batches = one.batches(epoch)
            assert len(batches) == one.n_batches
            assert sum(map(len, batches)) == one.n_samples
            for mine, other in zip(batches, two.batches(epoch), strict=True):
                np.testing.assert_array_equal(mine, other)
        assert not np.array_equal(one.batches(0)[0], one.batches(1)[0])

    def test_the_shares_of_ranks_are_the_whole(self, make: MakeJob) -> None:
        job = make("shares")
        whole, others = build(job), [build(job, rank, 3) for rank in range(3)]
        torch.manual_seed(1)
        network = whole.build()
        batch = whole.batches(2)[1]
        for part in whole.parts(network):
            first, *rest = [
                sum_shares(one.loss(network, part.name, batch, (2, 1)))
                for one in (whole, *others)
            ]
            torch.testing.assert_close(sum(rest), first, rtol=1e-5, atol=1e-6)

    def test_what_it_says_of_itself_is_plain(
        self, make: MakeJob, tmp_path: Path
    ) -> None:
        task = build(make("plain"))
        found = task.validate(task.build().eval(), None)
        assert set(task.columns) <= set(found)
        assert task.score in task.columns
        assert 0 < task.share_validated(3) <= 1
        json.dumps(dict(task.identity()))
        torch.save(dict(task.payload()), tmp_path / "payload.pt")
        torch.load(tmp_path / "payload.pt", weights_only=True)

    def test_a_killed_training_ends_with_the_bits_of_one_that_was_not(
        self, make: MakeJob
    ) -> None:
        whole, cut = (make(n, n_epochs=40, patience=40) for n in ("whole", "killed"))
        command = training_command(write_job(cut), 1, {})
        environment = os.environ | {"OMP_NUM_THREADS": "1"}
        quiet = subprocess.DEVNULL
        best = cut.out / "checkpoints" / "best.pt"
        with subprocess.Popen(command, stderr=quiet, env=environment) as begun:
            while begun.poll() is None and not best.exists():
                time.sleep(0.002)
            begun.kill()
        assert begun.returncode == -signal.SIGKILL
        subprocess.run(command, stderr=quiet, env=environment, check=True)
        assert train(whole)
        assert len(read_table(whole)) == 40
        check_same_bits(whole, cut)

    def test_two_ranks_train_as_one_does(self, make: MakeJob) -> None:
        one, two = make("one"), make("two")
        assert train(one)
        done = subprocess.run(
            training_command(write_job(two), 2, {}), stderr=subprocess.PIPE, text=True,
            env=os.environ | {"OMP_NUM_THREADS": "1"}, check=False, timeout=240,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        for mine, theirs in zip(read_table(one), read_table(two), strict=True):
            for name, value in mine.items():
                assert float(theirs[name]) == pytest.approx(float(value), rel=1e-4), (
                    name
                )
        first, second = read_weights(one), read_weights(two)
        for name, weights in first.items():
            torch.testing.assert_close(second[name], weights, rtol=1e-4, atol=1e-5)


def build(job: Job, rank: int = 0, size: int = 1) -> Any:
    """Return the task of a job, on one of so many ranks."""
    return load_task(job.task).Task(job, Ranks(rank, size, "cpu"))


def sum_shares(shares: Iterator[Any]) -> Tensor:
    """Return the loss and the count of a batch, (2,)."""
    return torch.stack(
        [torch.stack([one.loss.detach(), one.count]) for one in shares]
    ).sum(dim=0)


def write_job(job: Job) -> Path:
    """Write the file that a training is started with."""
    path = job.out / "config.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump(job.model_dump(mode="json")), encoding="utf-8")
    return path


def read_table(job: Job) -> list[dict[str, str]]:
    """Return metrics.csv without durations."""
    with (job.out / "metrics.csv").open(encoding="utf-8") as table:
        rows = list(csv.DictReader(table))
    return [{k: v for k, v in row.items() if k not in DURATIONS} for row in rows]


def read_weights(job: Job, name: str = "best") -> dict[str, Tensor]:
    """Return the weights of a checkpoint."""
    path = job.out / "checkpoints" / f"{name}.pt"
    weights: dict[str, Tensor] = read_checkpoint(path)["weights"]
    return weights


def check_same_bits(one: Job, two: Job) -> None:
    """Check that two trainings went alike, to the last bit."""
    assert read_table(one) == read_table(two)
    for name in ("best", "last"):
        first, second = read_weights(one, name), read_weights(two, name)
        assert all(torch.equal(first[key], second[key]) for key in first)
