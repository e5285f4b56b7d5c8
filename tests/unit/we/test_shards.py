"""A block of segments is one small file that is whole or absent."""

from pathlib import Path

import numpy as np
import pytest

from apps.science.errors import DataError
from apps.science.propagators.base import Frames, States
from apps.science.we.storage.shards import Origin, read_block, read_origins, write_shard

N_FRAMES, N_ATOMS = 10, 166  # chignolin


def write(path: Path, n_segments: int) -> Path:
    rng = np.random.default_rng(1)
    shape = (n_segments, N_FRAMES, N_ATOMS, 3)
    positions, forces = rng.normal(size=(2, *shape)).astype(np.float32)
    states = States(positions[:, -1], rng.normal(size=(n_segments, N_ATOMS, 3)))
    frames = Frames(positions, forces, states, np.zeros(n_segments, bool))
    ids = list(range(5, 5 + n_segments))
    pcoord = rng.normal(size=(n_segments, N_FRAMES, 2))
    write_shard(path, 2, ids, ids, [0] * n_segments, pcoord, frames, 1.0)
    return path


@pytest.mark.parametrize("n_segments", [1, 6])
def test_a_chignolin_segment_takes_less_than_60_kb(tmp_path, n_segments) -> None:
    path = write(tmp_path / "seg_000005.h5", n_segments)
    assert path.stat().st_size / n_segments < 60_000


def test_end_points_come_back_in_the_order_asked(tmp_path) -> None:
    path = write(tmp_path / "seg_000005.h5", 4)
    starts = States(np.full((1, N_ATOMS, 3), 7.0), np.zeros((1, N_ATOMS, 3)))
    asked = [Origin(str(path), 2), Origin(None, 0), Origin(str(path), 0)]
    states = read_origins(asked, starts)
    assert read_block(path).seg_ids == [5, 6, 7, 8]
    assert (states.positions[1] == 7.0).all()
    alone = read_origins([Origin(str(path), 0)], starts)
    np.testing.assert_array_equal(states.positions[2], alone.positions[0])
    assert not np.array_equal(states.positions[0], states.positions[2])


def test_a_damaged_shard_is_named(tmp_path) -> None:
    path = tmp_path / "seg_000005.h5"
    path.write_bytes(b"not HDF5")
    with pytest.raises(DataError, match=r"seg_000005\.h5 cannot be read"):
        read_block(path)
