"""The WE engine keeps every weight and repeats itself exactly."""

from pathlib import Path

import pytest

from apps.science.errors import ConfigError
from apps.science.we import engine
from apps.science.we.config import WEConfig
from apps.science.we.storage import journal, shards


@pytest.mark.parametrize(
    "bins",
    [
        {"kind": "mab", "nbins": [5]},
        {"kind": "rectilinear", "edges": [[-0.5, 0.0, 0.5]]},
    ],
)
def test_weights_sum_to_one_in_every_iteration(tmp_path, run_toy, bins) -> None:
    records = run_toy(tmp_path / "run", 6, bins)
    assert [r.n_iter for r in records] == [1, 2, 3, 4, 5, 6]
    for record in records:
        assert sum(s.weight for s in record.segments) == pytest.approx(1.0, abs=1e-12)


def test_walkers_spread_beyond_the_well_they_start_in(tmp_path, run_toy) -> None:
    records = run_toy(tmp_path / "run", 15)
    assert records[-1].summary["pcoord_max"][0] > 0.0


def test_the_same_seed_gives_the_same_bits(tmp_path, run_toy, assert_same) -> None:
    run_toy(tmp_path / "one", 6)
    run_toy(tmp_path / "other", 6)
    assert_same(tmp_path / "one", tmp_path / "other")


def test_the_block_size_does_not_change_a_bit(tmp_path, run_toy, assert_same) -> None:
    run_toy(tmp_path / "one", 5, block_size=1)
    run_toy(tmp_path / "other", 5, block_size=64)
    assert_same(tmp_path / "one", tmp_path / "other")


@pytest.mark.parametrize("stop_after_blocks", [1, 4, 9])
def test_a_stopped_run_goes_on_as_if_it_had_not_stopped(
    tmp_path, run_toy, assert_same, stop_after_blocks
) -> None:
    run_toy(tmp_path / "whole", 6)
    with pytest.raises(KeyboardInterrupt):
        run_toy(tmp_path / "cut", 6, stop_after_blocks=stop_after_blocks)
    run_toy(tmp_path / "cut", 6)
    assert_same(tmp_path / "whole", tmp_path / "cut")


def test_finished_blocks_are_not_propagated_again(tmp_path, run_toy) -> None:
    folder = tmp_path / "run"
    with pytest.raises(KeyboardInterrupt):
        run_toy(folder, 6, stop_after_blocks=6)
    before = {p: p.stat().st_mtime_ns for p in folder.glob("shards/*/*.h5")}
    run_toy(folder, 6)
    assert {p: p.stat().st_mtime_ns for p in before} == before


def test_a_damaged_west_h5_is_restored_from_its_snapshot(
    tmp_path, run_toy, assert_same
) -> None:
    run_toy(tmp_path / "whole", 5)
    run_toy(tmp_path / "cut", 3)
    (tmp_path / "cut" / "west.h5").write_bytes(b"not HDF5 any more")
    run_toy(tmp_path / "cut", 5)
    assert_same(tmp_path / "whole", tmp_path / "cut")


def test_every_segment_lies_where_its_record_says(tmp_path, run_toy) -> None:
    folder = tmp_path / "run"
    for record in run_toy(folder, 4):
        read = journal.read_record(folder / "journal", record.n_iter)
        for segment in read.segments:
            held = shards.read_block(Path(segment.shard))
            assert held.seg_ids[segment.row] == segment.seg_id
            assert held.parent_ids[segment.row] == segment.parent_id


def test_bins_of_another_dimension_are_refused(tmp_path) -> None:
    config = WEConfig(n_iterations=1, bins={"kind": "mab", "nbins": [3, 3]})
    starts = engine.Starts(["a"], [1.0], [[0.0]])
    with pytest.raises(ConfigError, match="2 progress coordinates"):
        engine.run_we(tmp_path, config, 1, starts, None)
