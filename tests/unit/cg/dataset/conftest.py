"""A run of bead chains as files: segments.h5, mapping.json and a fitted prior.yaml."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from apps.science.arrays import Array
from apps.science.cg.dataset.write import DatasetConfig, write_dataset
from apps.science.cg.mapping.mapping import Mapping
from apps.science.cg.prior.priors import PriorConfig, PriorSource, fit_prior
from apps.science.segments.store import create_store, open_store

N_ITER, N_SEG, N_FRAMES = 6, 24, 5
MakeRun = Callable[..., Path]


@pytest.fixture
def make_run(
    bead_chain: Callable[..., Mapping], random_chains: Callable[..., Array]
) -> MakeRun:
    """Return a maker of folders with frames of a chain, weighted, and its prior."""

    def make(folder: Path, n_beads: int = 5, kelvin: float = 300.0) -> Path:
        folder.mkdir(exist_ok=True)
        bead_chain(["CAA"] * n_beads).write(folder / "mapping.json")
        n = N_ITER * N_SEG * N_FRAMES
        rng = np.random.default_rng(2)
        weight = rng.dirichlet(np.full(N_SEG, 0.3), size=N_ITER)
        index = np.indices((N_ITER, N_SEG, N_FRAMES)).reshape(3, -1)
        values = {
            "weight": np.repeat(weight.ravel(), N_FRAMES),
            "n_iter": index[0] + 1,
            "seg_id": index[1],
            "frame": index[2],
            "parent": np.where(index[0] > 0, index[1], -1),
            "root": index[1],
            "positions": random_chains(n, n_beads),
            "forces": rng.normal(size=(n, n_beads, 3)),
        }
        store = folder / "segments.h5"
        create_store(store, n_beads)
        with open_store(store, "r+") as h5:
            h5.attrs["last_iter"] = N_ITER
            for name, value in values.items():
                h5[name].resize(value.shape)
                h5[name][:] = value
        config = PriorConfig(
            preset="CA_Majewski2022_v1", terms=["bonds"], gate_steps=0,
            temperature_kelvin=kelvin,
        )  # fmt: skip
        source = PriorSource(store, folder / "mapping.json")
        fit_prior([source], config, folder / "prior.yaml")
        return folder

    return make


@pytest.fixture
def folder(tmp_path: Path, make_run: MakeRun) -> Path:
    return make_run(tmp_path)


@pytest.fixture
def write() -> Callable[..., Path]:
    """Return what writes the dataset.h5 of a folder."""

    def write(folder: Path, **settings: Any) -> Path:
        return write_dataset(
            folder / "segments.h5", folder / "mapping.json", folder / "prior.yaml",
            DatasetConfig(**settings), 5, folder / "dataset.h5",
        )  # fmt: skip

    return write
