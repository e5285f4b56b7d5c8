"""Training on a cluster: over several nodes, and from one batch job into the next."""

import csv
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from site_configs.pools.batch_jobs import read_jobs

HERE = Path(__file__).parent
TRAINING = HERE / "alanine.yaml"
N_EPOCHS = 2


class TrainingRun:
    """One training of the alanine campaign's data, by the command."""

    def __init__(self, weft: Any, dataset: Path) -> None:
        weft.command = (sys.executable, str(HERE / "weft_with_toy.py"))
        weft.environment = {"WEFT_TEST_DATASET": str(dataset)}
        self.weft = weft

    def write(self, name: str, **training: Any) -> Path:
        found = yaml.safe_load(TRAINING.read_text())
        found |= {"name": name, "type": "toy_training"}
        found["training"] |= {"checkpoint_seconds": 1, "batch_size": 32} | training
        path: Path = self.weft.folder / f"{name}.yaml"
        path.write_text(yaml.safe_dump(found))
        return path

    def folder(self, name: str) -> Path:
        found: Path = self.weft.folder / "runs" / name / "models" / "weighted"
        return found

    def log(self, name: str) -> str:
        path = self.folder(name) / "train.log"
        return path.read_text() if path.exists() else ""

    def job(self, name: str) -> str:
        """Return the id of the batch job that trains."""
        jobs = read_jobs(self.weft.folder / "runs" / name / "jobs.jsonl")
        return [j.job_id for j in jobs if j.executor == "md" and j.job_id][-1]

    def losses(self, name: str) -> np.ndarray:
        with (self.folder(name) / "metrics.csv").open() as rows:
            return np.array([
                [float(row[k]) for k in ("train_loss", "val_loss_weighted")]
                for row in csv.DictReader(rows)
            ])  # fmt: skip


@pytest.fixture
def training(slurm: Any, weft: Any, uninterrupted: Path) -> TrainingRun:
    run = TrainingRun(weft, uninterrupted / "cg" / "dataset.h5")
    weft.environment |= slurm.environment
    return run


def stop(run: TrainingRun, driver: Any, nothing_left: Callable[[Path], list[Any]]):
    os.kill(driver.pid, signal.SIGINT)
    assert driver.wait(timeout=60) == 1, run.weft.said()
    assert not nothing_left(run.weft.folder)


def test_two_nodes_train_as_one_process_does(slurm, training, make_site) -> None:
    site = make_site(training.weft.folder)
    found = yaml.safe_load(site.read_text())
    found["executors"]["two_nodes"] = found["executors"]["cpu"] | {
        "nodes_per_block": 2, "task_spans_block": True,
    }  # fmt: skip
    found["roles"]["train"] = "two_nodes"
    site.write_text(yaml.safe_dump(found))

    weft = training.weft
    for name, where in (("alone", []), ("together", ["--site", site])):
        campaign = training.write(name, n_epochs=N_EPOCHS)
        done = weft.call("run", campaign, *where)
        assert done.returncode == 0, done.stderr[-2000:] + training.log(name)
    assert "training in 2 processes" in training.log("together")
    np.testing.assert_allclose(
        training.losses("together"), training.losses("alone"), rtol=1e-5
    )
    assert not slurm.jobs("PENDING,RUNNING")


def test_a_preempted_training_leaves_a_checkpoint_and_goes_on(
    slurm, training, make_site, find_run_processes
) -> None:
    campaign = training.write("preempted", n_epochs=10_000, patience=10_000)
    driver = training.weft.start("run", campaign, "--site", make_site(campaign.parent))
    training.weft.wait_for(driver, lambda: "epoch 2:" in training.log("preempted"))
    # SIGTERM, and some time later SIGKILL, as preemption sends them
    slurm.ask("scancel", training.job("preempted"))
    training.weft.wait_for(driver, lambda: "resuming" in training.log("preempted"))
    log = training.log("preempted")
    assert "stopped on request" in log[: log.index("resuming")]
    stop(training, driver, find_run_processes)


def test_training_leaves_before_its_batch_job_ends(
    slurm, training, make_site, find_run_processes
) -> None:
    campaign = training.write("cut", n_epochs=10_000, patience=10_000)
    site = make_site(campaign.parent, walltime="00:01:00")
    driver = training.weft.start("run", campaign, "--site", site)
    training.weft.wait_for(driver, lambda: "INFO weights" in training.log("cut"))
    first = training.job("cut")
    training.weft.wait_for(driver, lambda: "resuming" in training.log("cut"))
    log = training.log("cut")
    assert log.count("stopped on request") == 1, log
    state = slurm.ask("squeue", "-h", "--states=all", "-o", "%T", "--jobs", first)
    assert state == "COMPLETED"  # it ended by itself
    events = training.weft.folder / "runs/cut/monitoring/events.jsonl"
    assert '"kind": "lost"' not in events.read_text()
    stop(training, driver, find_run_processes)
