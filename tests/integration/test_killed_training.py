"""A training that the system kills is tried again as a lost worker's task is."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import h5py
import numpy as np
import parsl
import psutil
import pytest
import yaml

from apps.science.cg.dataset.write import MOLECULE, SCHEMA
from apps.science.errors import KilledError
from site_configs.build import build_config
from site_configs.schema import Site

PATIENCE_S = 240.0
MODEL = {"kind": "cgschnet", "embedding_dimension": 8, "num_layers": 1, "num_rbf": 8}


@pytest.fixture
def job(tmp_path: Path) -> Path:
    """Return the file of a training that would take for ever."""
    rng = np.random.default_rng(4)
    with h5py.File(tmp_path / "dataset.h5", "w") as h5:
        h5.create_group("meta").attrs["schema"] = SCHEMA
        group = h5.create_group(f"mol/{MOLECULE}")
        group["z"] = np.array([1, 2, 3, 4])
        positions = rng.normal(size=(96, 4, 3)) + np.arange(4)[:, None]
        group["pos"] = positions.astype("f4")
        group["delta"] = rng.normal(size=(96, 4, 3)).astype("f4")
        group["weight"] = rng.dirichlet(np.ones(96))
        group["split"] = (np.arange(96) >= 80).astype("i1")
    path = tmp_path / "run" / "models" / "m" / "config.yaml"
    path.parent.mkdir(parents=True)
    settings = {"n_epochs": 100_000, "patience": 100_000, "batch_size": 16}
    path.write_text(
        yaml.safe_dump({
            "task": "force_matching", "dataset": str(tmp_path / "dataset.h5"),
            "out": str(path.parent),
            "model": MODEL, "device": "cpu", "training": settings,
        })
    )  # fmt: skip
    return path


@pytest.fixture
def one_more_try(tmp_path: Path) -> Iterator[Path]:
    """Load a local site where a task survives one lost worker; return the run."""
    run_dir = tmp_path / "run"
    site = Site.model_validate(
        {"name": "here", "executors": {"pool": {"workers_per_node": 1}},
         "retries": {"lost_workers": 1}}
    )  # fmt: skip
    config = build_config(site, run_dir / "parsl", {"WEFT_RUN_DIR": str(run_dir)})
    kernel = parsl.load(config)
    yield run_dir
    kernel.cleanup()
    parsl.clear()


def test_it_goes_on_from_its_checkpoint_then_is_told_in_words(
    job: Path,
    one_more_try: Path,
    find_run_processes: Callable[[Path], list[psutil.Process]],
) -> None:
    from apps.train import train_model

    log = job.with_name("train.log")

    def kill_when(words: str) -> None:
        end = time.monotonic() + PATIENCE_S
        while words not in (said := log.read_text() if log.exists() else ""):
            assert not future.done(), said
            assert time.monotonic() < end, said
            time.sleep(0.1)
        (training,) = (
            process
            for process in find_run_processes(one_more_try)
            if process.cmdline()[2:4] == ["-m", "apps.science.learning"]
        )
        training.kill()

    future = train_model(job, None, log, stage="train_m")
    kill_when("epoch 2:")
    kill_when("resuming after")
    error = future.exception(timeout=PATIENCE_S)
    assert isinstance(error, KilledError)
    said = str(error)
    assert "The training was killed by the system (SIGKILL), often for want of" in said
    assert said.splitlines()[-1].strip() == log.read_text().splitlines()[-1]
    assert list((one_more_try / "tasks").iterdir())  # noted as a task
