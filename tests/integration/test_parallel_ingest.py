"""Several Parsl tasks verify parts of a run, and one joins what they found."""

import json
from pathlib import Path

import numpy as np
import parsl
import pytest

from apps.ingest import ingest_in_parallel
from apps.science.errors import DataError
from apps.science.propagators.base import Frames, States
from apps.science.segments.ingest import ingest
from apps.science.segments.verify import notes_folder
from apps.science.we.storage import journal, shards
from site_configs.build import build_config
from site_configs.load import load_site

N_ITERATIONS, N_SEGMENTS = 12, 8


@pytest.fixture
def we(tmp_path: Path) -> Path:
    rng = np.random.default_rng(3)
    for n_iter in range(1, N_ITERATIONS + 1):
        positions = rng.normal(size=(N_SEGMENTS, 2, 3, 3))
        states = States(positions[:, -1], positions[:, -1])
        frames = Frames(positions, positions, states, np.zeros(N_SEGMENTS, bool))
        ids, parents = list(range(N_SEGMENTS)), [-1] * N_SEGMENTS
        block = shards.write_shard(
            shards.shard_path(tmp_path / "we" / "shards", n_iter, 0), n_iter, ids,
            parents, [0] * N_SEGMENTS, positions[:, :, 0, :1], frames, 1.0,
        )  # fmt: skip
        record = journal.IterationRecord(
            n_iter, 0, ids, parents, rng.dirichlet(np.ones(N_SEGMENTS)).tolist(),
            [(0, k) for k in ids], [block.path], [block.digest], {},
        )  # fmt: skip
        journal.write_record(tmp_path / "we" / "journal", record)
    return tmp_path / "we"


def test_tasks_share_the_work_and_a_damaged_shard_is_named(we, tmp_path) -> None:
    alone = ingest(we, tmp_path / "alone" / "segments.h5", N_ITERATIONS)
    site = build_config(load_site("local"), tmp_path / "parsl", roles=["analysis"])
    out = tmp_path / "shared" / "segments.h5"
    with parsl.load(site):
        *_, joined = ingest_in_parallel(we, out, N_ITERATIONS, 0.0, 5)
        assert joined.result().read_bytes() == alone.read_bytes()
        notes = [p.read_text().splitlines() for p in notes_folder(out).iterdir()]
        verified = [json.loads(line)["n_iter"] for lines in notes for line in lines]
        assert sorted(verified) == list(range(1, N_ITERATIONS + 1))

        shard = shards.shard_path(we / "shards", 7, 0)
        shard.write_bytes(shard.read_bytes()[:-50])
        other = tmp_path / "damaged" / "segments.h5"
        parts = ingest_in_parallel(we, other, N_ITERATIONS, 0.0, 3)
        first = next(e for e in (part.exception() for part in parts) if e)
        assert isinstance(first, DataError)
        assert "000007/seg_000000.h5 is damaged" in str(first)
    assert not other.exists()
