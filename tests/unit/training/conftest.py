"""A small force-matching set with a known energy, and jobs that train on it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from apps.science.cg.dataset import MOLECULE, SCHEMA
from apps.science.training.config import TrainingConfig, TrainingJob

N_FRAMES, N_BEADS = 96, 4
MODEL = {"kind": "cgschnet", "embedding_dimension": 8, "num_layers": 1, "num_rbf": 8}


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    """Return a set whose delta forces are springs between first and last bead."""
    rng = np.random.default_rng(4)
    pos = rng.normal(size=(N_FRAMES, N_BEADS, 3)) + 2.0 * np.arange(N_BEADS)[:, None]
    delta = np.zeros_like(pos)
    pull = 0.5 * (pos[:, -1] - pos[:, 0])
    delta[:, 0], delta[:, -1] = pull, -pull
    path = tmp_path / "dataset.h5"
    with h5py.File(path, "w") as h5:
        h5.create_group("meta").attrs["schema"] = SCHEMA
        group = h5.create_group(f"mol/{MOLECULE}")
        group["z"] = np.array([1, 2, 3, 4])
        group["pos"] = pos.astype("f4")
        group["delta"] = delta.astype("f4")
        group["weight"] = rng.dirichlet(np.ones(N_FRAMES))
        group["split"] = (np.arange(N_FRAMES) >= 80).astype("i1")
    return path


@pytest.fixture
def make_job(dataset: Path, tmp_path: Path) -> Callable[..., TrainingJob]:
    def make(name: str, **training: Any) -> TrainingJob:
        settings = {"n_epochs": 4, "batch_size": 16, "warmup_steps": 2} | training
        return TrainingJob(
            dataset=dataset, out=tmp_path / name, seed=11, device="cpu", model=MODEL,
            training=TrainingConfig(**settings),
        )  # fmt: skip

    return make
