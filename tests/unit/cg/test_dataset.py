import logging
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from apps.science.arrays import Array
from apps.science.cg.dataset import DatasetConfig, check_weights, write_dataset
from apps.science.cg.dataset_split import assign_split
from apps.science.cg.mapping import Mapping
from apps.science.cg.priors import PriorConfig, fit_prior
from apps.science.errors import DataError, WeightError
from apps.science.segments.store import PER_FRAME, create_store, open_store

N_ITER, N_SEG, N_FRAMES = 6, 24, 5


@pytest.fixture
def folder(
    tmp_path: Path,
    bead_chain: Callable[..., Mapping],
    random_chains: Callable[..., Array],
) -> Path:
    """Return a folder with segments.h5, mapping.json and a fitted prior.yaml."""
    bead_chain(["CAA"] * 5).write(tmp_path / "mapping.json")
    n = N_ITER * N_SEG * N_FRAMES
    rng = np.random.default_rng(2)
    weight = rng.dirichlet(np.full(N_SEG, 0.3), size=N_ITER)
    index = np.indices((N_ITER, N_SEG, N_FRAMES)).reshape(3, -1)
    values = {
        "weight": np.repeat(weight.ravel(), N_FRAMES),
        "n_iter": index[0] + 1,
        "seg_id": index[1],
        "frame": index[2],
        "parent": index[1],
        "root": index[1],
        "positions": random_chains(n, 5),
        "forces": rng.normal(size=(n, 5, 3)),
    }
    store = tmp_path / "segments.h5"
    create_store(store, 5)
    with open_store(store, "r+") as h5:
        for name, value in values.items():
            h5[name].resize(value.shape)
            h5[name][:] = value
    fit_prior(
        store, tmp_path / "mapping.json",
        PriorConfig(preset="CA_Majewski2022_v1", terms=["bonds"], gate_steps=0),
        tmp_path / "prior.yaml",
    )  # fmt: skip
    return tmp_path


def write(folder: Path, **settings: float) -> Path:
    return write_dataset(
        folder / "segments.h5", folder / "mapping.json", folder / "prior.yaml",
        DatasetConfig(**settings), 5, folder / "dataset.h5",
    )  # fmt: skip


def test_delta_is_the_bead_force_less_the_prior(folder: Path) -> None:
    with h5py.File(write(folder)) as h5:
        group = h5["mol/0"]
        left = group["force_cg"][:] - group["force_prior"][:]
        np.testing.assert_allclose(group["delta"][:], left, atol=1e-3)
        assert group["delta"].dtype == np.float32
        assert group["weight"].dtype == np.float64
        assert group["pos"].shape == (N_ITER * N_SEG * N_FRAMES, 5, 3)
        assert h5["meta"].attrs["weights"] == "raw WE"


def test_a_split_keeps_lineages_whole(folder: Path) -> None:
    with h5py.File(write(folder, split_fraction=0.2)) as h5:
        group = h5["mol/0"]
        split, root = group["split"][:], group["root"][:]
        assert h5["meta"].attrs["split_by"] == "lineage"
    assert all(len(set(split[root == r])) == 1 for r in np.unique(root))
    assert 0.1 < split.mean() < 0.3


def test_few_founders_split_by_blocks_of_iterations() -> None:
    n_iter = np.repeat(np.arange(1, 41), 50)
    root = np.zeros_like(n_iter)
    split, how = assign_split(n_iter, root, 0.1, seed=3)
    assert how == "iteration block"
    assert all(len(set(split[n_iter == i])) == 1 for i in np.unique(n_iter))
    assert split.mean() == pytest.approx(0.1, abs=0.03)


def test_the_cutoff_logs_the_mass_it_discards(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with open_store(folder / "segments.h5") as h5:
        weight = h5["weight"][:]
    lost = weight[weight < 1e-3].sum() / weight.sum()
    with caplog.at_level(logging.INFO):
        path = write(folder, weight_cutoff=1e-3)
    assert f"discards mass {lost:.3g}" in caplog.text
    with h5py.File(path) as h5:
        assert len(h5["mol/0/weight"]) == (weight >= 1e-3).sum()


def test_weights_that_do_not_sum_to_one_are_refused() -> None:
    n_iter, frame = np.repeat([1, 2], 4), np.tile([0, 0, 1, 1], 2)
    weight = np.full(8, 0.5)
    check_weights(weight, n_iter, frame, np.zeros(0))
    weight[-1] = 0.4
    with pytest.raises(WeightError, match=r"iteration 2 sum to 0\.9"):
        check_weights(weight, n_iter, frame, np.zeros(0))
    check_weights(weight[:6], n_iter[:6], frame[:6] * 0, np.array([-1.0, 0.0]))


def test_mass_left_out_by_ingestion_counts() -> None:
    weight, n_iter, frame = np.full(4, 0.45), np.array([1, 1, 2, 2]), np.zeros(4)
    check_weights(weight, n_iter, frame, np.array([0.1, 0.1]))


def test_a_cutoff_above_every_weight_is_an_error(folder: Path) -> None:
    with pytest.raises(DataError, match="No frame is left"):
        write(folder, burn_in_iterations=N_ITER)


def test_the_same_seed_writes_the_same_file(folder: Path) -> None:
    first = write(folder).read_bytes()
    assert write(folder).read_bytes() == first


def test_every_row_of_the_store_is_carried_over(folder: Path) -> None:
    with open_store(folder / "segments.h5") as store, h5py.File(write(folder)) as h5:
        for name in PER_FRAME:
            np.testing.assert_array_equal(store[name][:], h5[f"mol/0/{name}"][:])
