"""Rows are read in place, in any order, by any number of ranks."""

import itertools
import os
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import h5py
import numpy as np
import pytest

from apps.science.cg.dataset.file import (
    FORMER,
    VECTORS,
    ContentDigest,
    VectorWriter,
    create_file,
    create_vectors,
    digest_molecule,
)
from apps.science.cg.dataset.rows import MappedRows
from apps.science.errors import DataError, ShapeMismatchError, WeightError
from apps.science.tasks.force_matching.data import order_batches, read_training_data

Write = Callable[..., Path]


@pytest.mark.parametrize("chunks", [None, (7, 4, 3), (100, 4, 3)])
def test_rows_are_those_that_hdf5_gives(tmp_path: Path, chunks) -> None:
    rng = np.random.default_rng(3)
    values = rng.normal(size=(100, 4, 3)).astype("f4")
    path = tmp_path / "x.h5"
    with create_file(path) as h5:
        h5["before"] = b"odd"
        h5.create_dataset("a", data=values, chunks=chunks)
    with h5py.File(path) as h5:
        rows = MappedRows(h5["a"], path)
    for wanted in (rng.integers(0, 100, 33), np.arange(100), np.zeros(0, int)):
        np.testing.assert_array_equal(rows.read(wanted), values[wanted])


def test_frames_written_in_any_steps_are_those_that_are_read(tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    n, path = 9000, tmp_path / "x.h5"  # two whole chunks and a part of one
    values = {name: rng.normal(size=(n, 5, 3)) for name in VECTORS}
    with create_file(path) as h5:
        group, digest = h5.create_group("mol/0"), ContentDigest()
        create_vectors(group, n, 5)
        writer = VectorWriter(group, digest)
        bounds = [0, 1, 4000, 4001, 8999, n]
        for start, stop in itertools.pairwise(bounds):
            writer.add({name: v[start:stop] for name, v in values.items()})
        assert digest.hexdigest() == digest_molecule(group)
    with h5py.File(path) as h5:
        for name, value in values.items():
            np.testing.assert_array_equal(h5[f"mol/0/{name}"][:], value.astype("f4"))
            rows = MappedRows(h5[f"mol/0/{name}"], path).read(np.array([n - 1, 4368]))
            np.testing.assert_array_equal(rows, value[[n - 1, 4368]].astype("f4"))


@pytest.mark.parametrize(
    "how", [{"compression": "gzip"}, {"dtype": "f8"}, {"fletcher32": True}]
)
def test_what_cannot_be_read_in_place_is_refused(tmp_path: Path, how) -> None:
    path = tmp_path / "x.h5"
    with h5py.File(path, "w") as h5:
        h5.create_dataset("a", data=np.ones((9, 2, 3), "f4"), chunks=(3, 2, 3), **how)
    with h5py.File(path) as h5, pytest.raises(DataError, match="was repacked"):
        MappedRows(h5["a"], path)


def test_chunks_that_were_never_written_are_missed(tmp_path: Path) -> None:
    path = tmp_path / "x.h5"
    with h5py.File(path, "w") as h5:
        h5.create_dataset("a", (9, 2, 3), "f4", chunks=(3, 2, 3))
        h5["a"][:3] = 1.0
    with h5py.File(path) as h5, pytest.raises(DataError, match="lacks 2 of 3 chunks"):
        MappedRows(h5["a"], path)


def test_shuffled_batches_hold_every_frame_once(folder: Path, write: Write) -> None:
    path = write(folder)
    train = read_training_data(path).train
    with h5py.File(path) as h5:
        rows = h5["mol/0/split"][:] == 0
        pos, delta = (h5[f"mol/0/{name}"][:][rows] for name in ("pos", "delta"))
    seen = []
    for batch in order_batches(len(train), 32, seed=1, epoch=0):
        positions, targets = train.read(batch)
        np.testing.assert_array_equal(positions.numpy(), pos[batch])
        np.testing.assert_array_equal(targets.numpy(), delta[batch])
        seen.extend(batch.tolist())
    assert sorted(seen) == list(range(len(train)))
    np.testing.assert_array_equal(train.positions.numpy(), pos)


def _sum_of_targets(path: Path, rank: int) -> float:
    train = read_training_data(path).train
    mine = np.arange(rank, len(train), 3)
    return float(train.read(mine)[1].double().abs().sum())


def test_ranks_read_one_file_at_once(folder: Path, write: Write) -> None:
    path = write(folder)
    path.chmod(0o444)
    with ProcessPoolExecutor(3) as pool:
        parts = list(pool.map(_sum_of_targets, [path] * 3, range(3)))
    whole = read_training_data(path).train.targets
    assert sum(parts) == pytest.approx(float(whole.double().abs().sum()))


def test_a_fingerprint_changes_with_the_frames(folder: Path, write: Write) -> None:
    first = read_training_data(write(folder)).fingerprint
    assert read_training_data(write(folder)).fingerprint == first
    assert read_training_data(write(folder, burn_in_iterations=1)).fingerprint != first
    assert read_training_data(write(folder, split_fraction=0.3)).fingerprint != first


def test_a_set_of_another_version_is_refused(folder: Path, write: Write) -> None:
    path = write(folder)
    with h5py.File(path, "r+") as h5:
        h5["meta"].attrs["schema"] = "weft-dataset-9"
    with pytest.raises(DataError, match=r"'weft-dataset-9'; expected 'weft-dataset-2'"):
        read_training_data(path)


def test_a_set_of_the_version_before_is_read(folder: Path, write: Write) -> None:
    path = write(folder)
    frames = read_training_data(path).train.positions
    with h5py.File(path) as new, h5py.File(folder / "old.h5", "w") as old:
        old.create_group("meta").attrs.update(
            {"schema": FORMER, "weights": "raw WE", "prior_sha256": "abc"}
        )
        for name in ("z", "pos", "delta", "weight", "split", "n_iter"):
            old[f"mol/0/{name}"] = new[f"mol/0/{name}"][:]
    data = read_training_data(folder / "old.h5", prior_sha256="abc")
    np.testing.assert_array_equal(data.train.positions, frames)
    assert (data.weights, data.sequence) == ("raw", None)


def test_targets_of_another_prior_are_refused(folder: Path, write: Write) -> None:
    path = write(folder)
    with h5py.File(path) as h5:
        own = str(h5["meta"].attrs["prior_sha256"])
    assert read_training_data(path, prior_sha256=own).proteins[0].prior_sha256 == own
    with pytest.raises(DataError, match=r"made with the prior .* in use is 0000"):
        read_training_data(path, prior_sha256="0" * 64)


def test_the_texts_it_was_made_with_are_at_hand(folder: Path, write: Write) -> None:
    (protein,) = read_training_data(write(folder)).proteins
    assert protein.prior_yaml == (folder / "prior.yaml").read_text()
    assert protein.mapping_json == (folder / "mapping.json").read_text()
    assert protein.residues == "AAAAA"
    assert protein.sequence is not None
    assert protein.sequence.tolist() == [1, 2, 3, 4, 5]


def test_a_set_that_was_cut_off_is_refused(folder: Path, write: Write) -> None:
    path = write(folder)
    os.truncate(path, path.stat().st_size - 1000)
    with pytest.raises(DataError, match=r"cannot be read .*truncated"):
        read_training_data(path)


def test_as_many_weights_as_frames_are_asked_for(folder: Path, write: Write) -> None:
    path = write(folder)
    with h5py.File(path, "r+") as h5:
        weight = h5["mol/0/weight"][:-1]
        del h5["mol/0/weight"]
        h5["mol/0/weight"] = weight
    with pytest.raises(ShapeMismatchError, match="720 frames, 720 targets, 719 weig"):
        read_training_data(path)


def test_a_weight_below_zero_is_refused(folder: Path, write: Write) -> None:
    path = write(folder)
    with h5py.File(path, "r+") as h5:
        h5["mol/0/weight"][4] = -1e-3
    with pytest.raises(WeightError, match=r"run from -0\.001 to"):
        read_training_data(path)


def test_another_file_is_not_taken_for_a_set(folder: Path) -> None:
    with pytest.raises(DataError, match="schema 'weft-segments-2'; expected"):
        read_training_data(folder / "segments.h5")
