"""What is damaged is set aside and made again, bit for bit, by a run that goes on."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import h5py
import pytest

from apps.science.errors import DataError
from apps.science.segments.ingest import ingest
from apps.science.we.storage import journal, shards

N_ITERATIONS = 4


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> dict[str, Path]:
    return {"folder": tmp_path_factory.mktemp("whole") / "run"}


@pytest.fixture
def cut(whole, tmp_path, run_toy) -> Path:
    """A run of four iterations, to be harmed; ``whole`` is made once."""
    if not whole["folder"].exists():
        run_toy(whole["folder"], N_ITERATIONS)
    shutil.copytree(whole["folder"], tmp_path / "cut")
    return tmp_path / "cut"


def shard_of(folder: Path, n_iter: int) -> Path:
    return sorted((folder / "shards" / f"{n_iter:06d}").glob("seg_*.h5"))[0]


def alter(path: Path, name: str = "positions") -> None:
    with h5py.File(path, "r+") as h5:
        h5[name][(0,) * h5[name].ndim] += 1.0


def other_schema(path: Path) -> None:
    with h5py.File(path, "r+") as h5:
        h5.attrs["schema"] = "weft-shard-9"


def foreign(path: Path) -> None:
    path.unlink()
    with h5py.File(path, "w") as h5:
        h5["thesis"] = [1, 2, 3]


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:100])


def without_weight(path: Path) -> None:
    body = json.loads(path.read_text())
    body["weight"][0] *= 0.5
    path.write_text(json.dumps(body))


def not_a_record(path: Path) -> None:
    path.write_text('["somebody else"]\n')


def aside(folder: Path) -> set[str]:
    return {p.name for p in (folder / "set_aside").iterdir()}


HARMS: dict[str, Callable[[Path], None]] = {
    "truncated": truncate, "weight": without_weight, "foreign": not_a_record,
}  # fmt: skip


@pytest.mark.parametrize("harm", HARMS)
def test_a_damaged_record_is_set_aside_and_made_again(
    whole, cut, run_toy, assert_same, caplog, harm
) -> None:
    path = journal.record_path(cut / "journal", 2)
    HARMS[harm](path)
    harmed = path.read_bytes()
    with pytest.raises(DataError, match="weft resume"):
        ingest(cut, cut / "segments.h5", N_ITERATIONS)
    run_toy(cut, N_ITERATIONS)
    assert "journal_iter_000002.json.1" in aside(cut)
    assert (cut / "set_aside" / "journal_iter_000002.json.1").read_bytes() == harmed
    assert "iter_000002.json" in caplog.text
    assert_same(whole["folder"], cut)
    ingest(cut, cut / "segments.h5", N_ITERATIONS)


@pytest.mark.parametrize("harm", [alter, other_schema, foreign, truncate])
@pytest.mark.parametrize("n_iter", [2, N_ITERATIONS])
def test_a_bad_shard_that_ingest_finds_is_made_again_at_resume(
    whole, cut, run_toy, assert_same, harm, n_iter
) -> None:
    shard = shard_of(cut, n_iter)
    harm(shard)
    harmed = shard.read_bytes()
    with pytest.raises(DataError, match=r"seg_000000.* moved to .*`weft resume` makes"):
        ingest(cut, cut / "segments.h5", N_ITERATIONS)
    (name,) = aside(cut)
    assert (cut / "set_aside" / name).read_bytes() == harmed, "aside, as it was"
    run_toy(cut, N_ITERATIONS)
    assert_same(whole["folder"], cut)
    assert shards.check_shard(shard) == shards.check_shard(
        shard_of(whole["folder"], n_iter)
    )
    ingest(cut, cut / "segments.h5", N_ITERATIONS)


def test_a_bad_parent_is_found_as_it_is_read_and_is_no_physics(
    whole, cut, run_toy, assert_same, tmp_path
) -> None:
    shard = shard_of(cut, N_ITERATIONS)
    alter(shard, "final_positions")
    with pytest.raises(DataError, match=r"seg_000000\.h5 was altered.* moved to"):
        run_toy(cut, N_ITERATIONS + 1)
    run_toy(cut, N_ITERATIONS + 1)
    shutil.copytree(whole["folder"], tmp_path / "longer")
    run_toy(tmp_path / "longer", N_ITERATIONS + 1)
    assert_same(tmp_path / "longer", cut)


def test_an_altered_shard_is_made_again_in_a_replay(
    whole, cut, run_toy, assert_same, caplog
) -> None:
    (cut / "west.h5.snapshot").unlink()
    alter(shard_of(cut, 2))
    run_toy(cut, N_ITERATIONS)
    assert "seg_000000.h5 was altered" in caplog.text
    assert_same(whole["folder"], cut)


def test_a_missing_shard_or_record_is_made_again(
    whole, cut, run_toy, assert_same
) -> None:
    shutil.rmtree(cut / "shards" / "000003")
    journal.record_path(cut / "journal", 2).unlink()
    run_toy(cut, N_ITERATIONS)
    assert_same(whole["folder"], cut)


def test_a_shard_that_cannot_be_made_the_same_again_is_refused(cut, run_toy) -> None:
    path = journal.record_path(cut / "journal", 3)
    body = json.loads(path.read_text())
    body["digests"][0] = "0" * 64
    path.write_text(json.dumps(body))
    (cut / "west.h5.snapshot").unlink()
    with pytest.raises(DataError, match="made again and came out otherwise"):
        run_toy(cut, N_ITERATIONS)


def test_the_advice_for_a_replay_that_differs_works(
    whole, cut, run_toy, assert_same, tmp_path
) -> None:
    path = journal.record_path(cut / "journal", 3)
    body = json.loads(path.read_text())
    a, b = body["weight"][:2]
    body["weight"][:2] = [a * 0.5, b + a * 0.5]
    path.write_text(json.dumps(body))
    (cut / "west.h5.snapshot").unlink()
    with pytest.raises(DataError, match=r"from iter_000003\.json on and their shards"):
        run_toy(cut, N_ITERATIONS)
    for n_iter in (3, 4):
        shutil.move(journal.record_path(cut / "journal", n_iter), tmp_path)
        shutil.move(cut / "shards" / f"{n_iter:06d}", tmp_path)
    run_toy(cut, N_ITERATIONS)
    assert_same(whole["folder"], cut)


@pytest.mark.parametrize("snapshot", [True, False])
def test_a_foreign_west_h5_in_the_way_is_kept(
    whole, cut, run_toy, assert_same, snapshot
) -> None:
    foreign(cut / "west.h5")
    theirs = (cut / "west.h5").read_bytes()
    if not snapshot:
        (cut / "west.h5.snapshot").unlink()
    run_toy(cut, N_ITERATIONS)
    assert (cut / "set_aside" / "west.h5.1").read_bytes() == theirs
    assert_same(whole["folder"], cut)
