"""What is written to a training set is what the run holds, or nothing is."""

import logging
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from apps.science.cg.dataset.file import VECTORS
from apps.science.cg.dataset.split import assign_split
from apps.science.cg.dataset.write import check_weights
from apps.science.errors import DataError, NumericalError, WeightError
from apps.science.segments.store import PER_FRAME, open_store

N_ITER, N_SEG, N_FRAMES = 6, 24, 5
Write = Callable[..., Path]


def test_delta_is_the_bead_force_less_the_prior(folder: Path, write: Write) -> None:
    with h5py.File(write(folder)) as h5:
        group = h5["mol/0"]
        left = group["force_cg"][:] - group["force_prior"][:]
        np.testing.assert_allclose(group["delta"][:], left, atol=1e-3)
        assert group["delta"].dtype == np.float32
        assert group["weight"].dtype == np.float64
        assert group["pos"].shape == (N_ITER * N_SEG * N_FRAMES, 5, 3)
        assert h5["meta"].attrs["weights"] == "raw"


def test_a_split_keeps_lineages_whole(folder: Path, write: Write) -> None:
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
    folder: Path, write: Write, caplog: pytest.LogCaptureFixture
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


def test_a_cutoff_above_every_weight_is_an_error(folder: Path, write: Write) -> None:
    with pytest.raises(DataError, match="No frame is left"):
        write(folder, burn_in_iterations=N_ITER)


def test_the_same_seed_writes_the_same_file(folder: Path, write: Write) -> None:
    first = write(folder).read_bytes()
    assert write(folder).read_bytes() == first


def test_every_row_of_the_store_is_carried_over(folder: Path, write: Write) -> None:
    with open_store(folder / "segments.h5") as store, h5py.File(write(folder)) as h5:
        for name in PER_FRAME:
            np.testing.assert_array_equal(store[name][:], h5[f"mol/0/{name}"][:])


def test_frames_are_chunked_without_a_filter(folder: Path, write: Write) -> None:
    with h5py.File(write(folder)) as h5:
        for name in VECTORS:
            dataset = h5[f"mol/0/{name}"]
            assert dataset.chunks is not None
            assert dataset.chunks[1:] == dataset.shape[1:]
            assert dataset.compression is None


def test_the_set_says_what_it_is(folder: Path, write: Write) -> None:
    with h5py.File(write(folder, molecule="ala5", weight_cutoff=1e-3)) as h5:
        meta, facts = h5["meta"].attrs, h5["mol/ala5"].attrs
        assert meta["units"] == "Angstrom, kcal/mol/Angstrom, amu, K"
        assert meta["temperature_kelvin"] == facts["temperature_kelvin"] == 300.0
        assert meta["prior_sha256"] == facts["prior_sha256"]
        assert facts["sequence"] == "AAAAA"
        assert facts["n_source_frames"] > facts["n_frames"]
        assert 0 < facts["discarded_mass"] < 0.1
        assert "bonds" in h5["mol/ala5/prior_yaml"].asstr()[()]
        assert '"n_atoms": 5' in h5["mol/ala5/mapping_json"].asstr()[()]


@pytest.mark.parametrize("name", ["positions", "forces"])
def test_a_frame_that_is_not_a_number_is_named(
    folder: Path, write: Write, name: str
) -> None:
    row = (3 * N_SEG + 7) * N_FRAMES + 2
    with open_store(folder / "segments.h5", "r+") as h5:
        h5[name][row, 1, 2] = np.nan
    with pytest.raises(
        NumericalError, match=f"{name} .* frame 2 of segment 7 in iteration 4"
    ):
        write(folder)
    assert not (folder / "dataset.h5").exists()


def test_forces_that_were_not_recorded_are_refused(folder: Path, write: Write) -> None:
    with open_store(folder / "segments.h5", "r+") as h5:
        h5["forces"][:] = 0.0
    with pytest.raises(DataError, match="forces of all of 720 frames are zero"):
        write(folder)
    assert not (folder / "dataset.h5").exists()


def test_more_frames_than_weights_are_refused(folder: Path, write: Write) -> None:
    with h5py.File(folder / "segments.h5", "r+") as h5:
        h5["weight"].resize((700,))
    with pytest.raises(DataError, match="720 frames but 700 values of weight"):
        write(folder)


def test_weights_are_checked_before_the_cutoff(folder: Path, write: Write) -> None:
    with open_store(folder / "segments.h5", "r+") as h5:
        h5["weight"][2 * N_SEG * N_FRAMES] *= 1.01
    with pytest.raises(WeightError, match="weights of iteration 3 sum to"):
        write(folder, weight_cutoff=1e-3)
