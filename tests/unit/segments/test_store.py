"""Frames are read from where they lie, as if they were one array."""

import os
import resource
from pathlib import Path

import h5py
import numpy as np
import pytest

from apps.science.errors import DataError, ShapeMismatchError
from apps.science.segments.ingest import ingest
from apps.science.segments.store import (
    FORMER,
    PER_FRAME,
    create_store,
    iterate_frames,
    open_store,
)
from apps.science.we.storage import shards

N_FRAMES = 3


def copy_into_one(store: Path, out: Path) -> Path:
    """Write a store that holds its frames itself."""
    with open_store(store) as h5:
        values = {name: h5[name][:] for name in ("positions", "forces", *PER_FRAME)}
    create_store(out, values["positions"].shape[1])
    with open_store(out, "r+") as h5:
        for name, value in values.items():
            h5[name].resize(value.shape)
            h5[name][:] = value
    return out


@pytest.mark.parametrize(
    "key",
    [
        slice(None), slice(4, 17), slice(17, 4, -2), 5, -1, np.array([20, 0, 7, 7, 13]),
        np.arange(21) % 4 == 0, (slice(None), 0, 0), (3, 2), (..., 1), slice(9, 9),
    ],
)  # fmt: skip
def test_any_choice_of_frames_is_that_of_one_array(we, tmp_path, key) -> None:
    out = ingest(we, tmp_path / "segments.h5", 2)
    with open_store(out) as h5:
        expected = np.repeat([1000, 1001, 1002, 2000, 2001, 2002, 2003], N_FRAMES)
        whole = np.broadcast_to(expected[:, None, None], (21, 4, 3)).astype("f4")
        assert h5["positions"].shape == h5["forces"].shape == whole.shape
        np.testing.assert_array_equal(h5["positions"][key], whole[key])
        np.testing.assert_array_equal(h5["forces"][key], -whole[key])


@pytest.mark.parametrize("n_per_batch", [1, 4, 21, None])
def test_batches_of_any_size_hold_the_same_frames(we, tmp_path, n_per_batch) -> None:
    out = ingest(we, tmp_path / "segments.h5", 2, weight_cutoff=0.22)
    own = copy_into_one(out, tmp_path / "own.h5")
    whole = next(iterate_frames(own))
    batches = list(iterate_frames(out, n_per_batch))
    for name, values in whole.items():
        joined = np.concatenate([batch[name] for batch in batches])
        np.testing.assert_array_equal(joined, values)


def test_a_run_folder_may_be_moved(we, tmp_path) -> None:
    (tmp_path / "run").mkdir()
    we.rename(tmp_path / "run" / "we")
    ingest(tmp_path / "run" / "we", tmp_path / "run" / "segments.h5", 2)
    (tmp_path / "run").rename(tmp_path / "moved")
    with open_store(tmp_path / "moved" / "segments.h5") as h5:
        assert h5["positions"][-1, 0, 0] == 2003


def test_a_store_without_its_shards_is_refused(we, tmp_path) -> None:
    out = ingest(we, tmp_path / "segments.h5", 2)
    shards.shard_path(we / "shards", 2, 2).unlink()
    with pytest.raises(DataError, match=r"000002/seg_000002\.h5 is missing"):
        open_store(out)


def test_a_shard_put_in_the_place_of_another_is_refused(we, tmp_path) -> None:
    out = ingest(we, tmp_path / "segments.h5", 2)
    one, two = (shards.shard_path(we / "shards", 2, k) for k in (0, 2))
    two.write_bytes(one.read_bytes())
    with pytest.raises(DataError, match="is not the shard that was ingested"):
        list(iterate_frames(out))


def test_a_shard_truncated_since_is_named(we, tmp_path) -> None:
    out = ingest(we, tmp_path / "segments.h5", 2)
    shard = shards.shard_path(we / "shards", 1, 0)
    os.truncate(shard, shard.stat().st_size - 100)
    with pytest.raises(DataError, match=r"000001/seg_000000\.h5 is damaged"):
        list(iterate_frames(out))


def test_more_shards_than_files_may_be_open(long_we, tmp_path) -> None:
    out = ingest(long_we, tmp_path / "segments.h5", 20)
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (150, before[1]))
    try:
        with open_store(out) as h5:
            tags = h5["positions"][:, 0, 0].reshape(20, 40, N_FRAMES)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
    expected = 1000 * np.arange(1, 21)[:, None] + np.arange(40)
    np.testing.assert_array_equal(tags, np.repeat(expected[..., None], N_FRAMES, 2))


@pytest.mark.parametrize("column", ["weight", "seg_id"])
def test_as_many_weights_as_frames_are_asked_for(we, tmp_path, column) -> None:
    out = ingest(we, tmp_path / "segments.h5", 2)
    with h5py.File(out, "r+") as h5:
        h5[column].resize((20,))
    found = f"21 frames but 20 values of {column}"
    with pytest.raises(ShapeMismatchError, match=found):
        open_store(out)


def test_a_store_of_another_version_is_refused(we, tmp_path) -> None:
    out = ingest(we, tmp_path / "segments.h5", 2)
    with h5py.File(out, "r+") as h5:
        h5.attrs["schema"] = "weft-segments-9"
    with pytest.raises(DataError, match=r"'weft-segments-9'.*Move it away and resume"):
        open_store(out)


def test_a_store_of_the_version_before_is_read(we, tmp_path) -> None:
    own = copy_into_one(ingest(we, tmp_path / "segments.h5", 2), tmp_path / "own.h5")
    with h5py.File(own, "r+") as h5:
        h5.attrs["schema"] = FORMER
    with open_store(own) as h5:
        assert h5["positions"][-1, 0, 0] == 2003
