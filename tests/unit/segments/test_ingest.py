"""Frames meet their weights on (n_iter, seg_id), and nothing is ingested twice."""

from pathlib import Path

import h5py
import numpy as np
import pytest

from apps.science.errors import DataError, WeightError
from apps.science.propagators.base import Frames, States
from apps.science.segments.ingest import ROOT_STRIDE, ingest
from apps.science.segments.store import iterate_frames, open_store
from apps.science.we.storage import journal, shards

N_FRAMES, N_ATOMS = 3, 4


def write_iteration(
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


@pytest.fixture
def we(tmp_path: Path) -> Path:
    folder = tmp_path / "we"
    write_iteration(folder, 1, [0.5, 0.3, 0.2], [-1, -1, -1])
    write_iteration(folder, 2, [0.25, 0.25, 0.3, 0.2], [0, 0, 1, -1])
    return folder


def read_all(path: Path) -> dict[str, np.ndarray]:
    batches = list(iterate_frames(path, 5))
    return {name: np.concatenate([b[name] for b in batches]) for name in batches[0]}


def test_each_frame_carries_the_weight_of_its_own_segment(we, tmp_path) -> None:
    rows = read_all(ingest(we, tmp_path / "segments.h5", 2))
    weight_of = {(1, 0): 0.5, (1, 1): 0.3, (1, 2): 0.2}
    weight_of |= {(2, 0): 0.25, (2, 1): 0.25, (2, 2): 0.3, (2, 3): 0.2}
    assert len(rows["weight"]) == 7 * N_FRAMES
    for n_iter, seg_id, weight, x in zip(
        rows["n_iter"], rows["seg_id"], rows["weight"],
        rows["positions"][:, 0, 0], strict=True,
    ):  # fmt: skip
        assert weight == weight_of[n_iter, seg_id]
        assert x == 1000 * n_iter + seg_id


def test_lineages_lead_to_the_first_iteration_or_a_recycling(we, tmp_path) -> None:
    rows = read_all(ingest(we, tmp_path / "segments.h5", 2))
    second = rows["n_iter"] == 2
    roots = dict(zip(rows["seg_id"][second], rows["root"][second], strict=True))
    assert roots == {0: 0, 1: 0, 2: 1, 3: ROOT_STRIDE + 3}


def test_ingesting_step_by_step_equals_ingesting_at_once(we, tmp_path) -> None:
    ingest(we, tmp_path / "steps.h5", 1)
    stepwise = read_all(ingest(we, tmp_path / "steps.h5", 2))
    at_once = read_all(ingest(we, tmp_path / "once.h5", 2))
    assert stepwise.keys() == at_once.keys()
    for name, values in at_once.items():
        np.testing.assert_array_equal(stepwise[name], values)


def test_a_half_written_store_is_made_anew(we, tmp_path) -> None:
    out = ingest(we, tmp_path / "segments.h5", 1)
    with h5py.File(out, "r+") as h5:
        h5.attrs["half_written"] = 2
        h5["weight"].resize((99,))
    assert len(read_all(ingest(we, out, 2))["weight"]) == 7 * N_FRAMES


def test_the_discarded_mass_is_recorded(we, tmp_path) -> None:
    out = ingest(we, tmp_path / "segments.h5", 2, weight_cutoff=0.24)
    with open_store(out) as h5:
        np.testing.assert_allclose(h5["discarded_mass"][:], [0.2, 0.2])
        assert set(h5["weight"][:]) == {0.5, 0.3, 0.25}


def test_weights_that_do_not_sum_to_one_are_refused(we, tmp_path) -> None:
    write_iteration(we, 3, [0.5, 0.4], [0, 1])
    with pytest.raises(WeightError, match=r"iteration 3 sum to 0\.9"):
        ingest(we, tmp_path / "segments.h5", 3)


def test_a_missing_shard_is_named(we, tmp_path) -> None:
    shards.shard_path(we / "shards", 2, 2).unlink()
    with pytest.raises(DataError, match=r"seg_000002\.h5 does not exist"):
        ingest(we, tmp_path / "segments.h5", 2)


def test_an_altered_shard_is_named(we, tmp_path) -> None:
    with h5py.File(shards.shard_path(we / "shards", 2, 2), "r+") as h5:
        h5["positions"][0, 0, 0, 0] += 1.0
    with pytest.raises(DataError, match=r"seg_000002\.h5 was altered"):
        ingest(we, tmp_path / "segments.h5", 2)
