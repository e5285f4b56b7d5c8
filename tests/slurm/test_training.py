"""Training on a cluster: over several nodes, and from one batch job into the next."""

import csv
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from site_configs.pools.batch_jobs import read_jobs

HERE = Path(__file__).parent
TRAINING = HERE / "alanine.yaml"
TOYS = HERE.parent / "toys"
N_EPOCHS = 40
PATIENCE_S = 120


class TrainingRun:
    """One training of the alanine campaign's data, by the command."""

    def __init__(self, weft: Any, dataset: Path) -> None:
        weft.environment = {"WEFT_TEST_DATASET": str(dataset)}
        self.weft = weft

    def write(self, name: str, **training: Any) -> Path:
        found = yaml.safe_load(TRAINING.read_text())
        found |= {"name": name, "type": "toy_training", "plugins": str(TOYS)}
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


def dataset(run_dir: Path) -> Path:
    return run_dir / "cg" / "dataset.h5"


@pytest.fixture
def training(slurm: Any, weft: Any, alanine_here: Path) -> TrainingRun:
    run = TrainingRun(weft, dataset(alanine_here))
    weft.environment |= slurm.environment
    return run


@pytest.fixture(scope="module")
def alone(
    weft_in: Callable[[Path], Any],
    alanine_here: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> np.ndarray:
    """Return the losses of one process on this host, undisturbed."""
    run = TrainingRun(weft_in(tmp_path_factory.mktemp("alone")), dataset(alanine_here))
    done = run.weft.call("run", run.write("alone", n_epochs=N_EPOCHS))
    assert done.returncode == 0, done.stderr[-2000:] + run.log("alone")
    return run.losses("alone")


def test_two_nodes_train_as_one_process_does(
    slurm, training, make_site, alone: np.ndarray
) -> None:
    site = make_site(training.weft.folder)
    found = yaml.safe_load(site.read_text())
    found["executors"]["two_nodes"] = found["executors"]["cpu"] | {
        "nodes_per_block": 2,
        "task_spans_block": True,
    }
    found["roles"]["train"] = "two_nodes"
    site.write_text(yaml.safe_dump(found))

    campaign = training.write("together", n_epochs=N_EPOCHS)
    done = training.weft.call("run", campaign, "--site", site)
    assert done.returncode == 0, done.stderr[-2000:] + training.log("together")
    assert "training in 2 processes" in training.log("together")
    # rounding differs and grows with the steps
    losses = training.losses("together")
    np.testing.assert_allclose(losses[:2], alone[:2], rtol=1e-5)
    np.testing.assert_allclose(losses, alone, rtol=1e-3)
    assert not slurm.jobs("PENDING,RUNNING")


def test_a_preempted_training_goes_on_as_if_nothing_had_happened(
    slurm, training, make_site, alone: np.ndarray
) -> None:
    campaign = training.write("preempted", n_epochs=N_EPOCHS)
    driver = training.weft.start("run", campaign, "--site", make_site(campaign.parent))
    training.weft.wait_for(driver, lambda: "epoch 3:" in training.log("preempted"))
    # SIGTERM, and some time later SIGKILL, as preemption sends them
    slurm.ask("scancel", training.job("preempted"))
    assert driver.wait(timeout=PATIENCE_S) == 0, training.weft.said()
    log = training.log("preempted")
    assert "stopped on request" in log[: log.index("resuming")]
    np.testing.assert_array_equal(training.losses("preempted"), alone)
    assert not slurm.jobs("PENDING,RUNNING")


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
    os.kill(driver.pid, signal.SIGINT)
    assert driver.wait(timeout=PATIENCE_S) == 1, training.weft.said()
    assert not find_run_processes(training.weft.folder)
