"""WE folders of a few frames, whose coordinates say where they belong."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from apps.science.propagators.base import Frames, States
from apps.science.we.storage import journal, shards

N_FRAMES, N_ATOMS = 3, 4


def _write_iteration(
    we: Path, n_iter: int, weights: list[float], parents: list[int]
) -> None:
    """Write one iteration in shards of two; a frame's x says whose it is."""
    places, written = {}, []
    for first in range(0, len(weights), 2):
        ids = list(range(first, min(first + 2, len(weights))))
        tag = np.array([1000.0 * n_iter + s for s in ids])
        shape = (len(ids), N_FRAMES, N_ATOMS, 3)
        positions = np.broadcast_to(tag[:, None, None, None], shape)
        states = States(positions[:, -1], positions[:, -1])
        frames = Frames(positions, -positions, states, np.zeros(len(ids), bool))
        path = shards.shard_path(we / "shards", n_iter, first)
        places |= {s: (len(written), row) for row, s in enumerate(ids)}
        written.append(
            shards.write_shard(
                path, n_iter, ids, [parents[s] for s in ids], [0] * len(ids),
                np.zeros((len(ids), N_FRAMES, 1)), frames, 1.0,
            )
        )  # fmt: skip
    order = list(range(len(weights)))[::-1]  # no reader may count on an order
    record = journal.IterationRecord(
        n_iter, 0, order, [parents[s] for s in order], [weights[s] for s in order],
        [places[s] for s in order], [block.path for block in written],
        [block.digest for block in written], {},
    )  # fmt: skip
    journal.write_record(we / "journal", record)


WriteIteration = Callable[[Path, int, list[float], list[int]], None]


@pytest.fixture
def write_iteration() -> WriteIteration:
    return _write_iteration


@pytest.fixture
def we(tmp_path: Path) -> Path:
    folder = tmp_path / "we"
    _write_iteration(folder, 1, [0.5, 0.3, 0.2], [-1, -1, -1])
    _write_iteration(folder, 2, [0.25, 0.25, 0.3, 0.2], [0, 0, 1, -1])
    return folder


@pytest.fixture
def long_we(tmp_path: Path) -> Path:
    """Twenty iterations of 40 segments: 400 shards, enough to be cut off in."""
    rng = np.random.default_rng(1)
    for n_iter in range(1, 21):
        parents = [-1] * 40 if n_iter == 1 else rng.integers(0, 40, 40).tolist()
        weights = rng.dirichlet(np.ones(40)).tolist()
        _write_iteration(tmp_path / "long", n_iter, weights, parents)
    return tmp_path / "long"
