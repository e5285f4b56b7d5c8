"""What a run finds when it begins again: snapshots, shards, somebody else's files."""

import json
import shutil
from pathlib import Path

import h5py
import numpy as np
import pytest

from apps.science.errors import ConfigError, DataError
from apps.science.we.storage import journal


def shards_in(folder: Path) -> dict[Path, int]:
    return {p: p.stat().st_mtime_ns for p in folder.glob("shards/*/*.h5")}


def test_without_any_west_h5_the_run_is_rebuilt_from_shards(
    tmp_path, run_toy, assert_same
) -> None:
    run_toy(tmp_path / "whole", 6)
    shutil.copytree(tmp_path / "whole", tmp_path / "cut")
    before = shards_in(tmp_path / "cut")
    (tmp_path / "cut" / "west.h5").unlink()
    (tmp_path / "cut" / "west.h5.snapshot").unlink()
    run_toy(tmp_path / "cut", 6)
    assert_same(tmp_path / "whole", tmp_path / "cut")
    assert shards_in(tmp_path / "cut") == before


@pytest.mark.parametrize("share", [0.0, 0.3, 0.95])
def test_a_damaged_snapshot_is_noticed_and_replaced(
    tmp_path, run_toy, assert_same, caplog, share
) -> None:
    run_toy(tmp_path / "whole", 4)
    run_toy(tmp_path / "cut", 2)
    copy = tmp_path / "cut" / "west.h5.snapshot"
    held = copy.read_bytes()
    copy.write_bytes(held[: int(share * len(held))])
    run_toy(tmp_path / "cut", 4)
    assert "is damaged" in caplog.text
    assert "rebuilt from its journal and shards" in caplog.text
    assert_same(tmp_path / "whole", tmp_path / "cut")


def test_a_damaged_west_h5_is_mentioned(tmp_path, run_toy, caplog) -> None:
    run_toy(tmp_path / "cut", 2)
    (tmp_path / "cut" / "west.h5").write_bytes(b"not HDF5 any more")
    run_toy(tmp_path / "cut", 3)
    assert "was damaged" in caplog.text
    assert "restored from its snapshot" in caplog.text


def test_another_partition_takes_what_is_finished(
    tmp_path, run_toy, assert_same
) -> None:
    run_toy(tmp_path / "whole", 4, block_size=5)
    with pytest.raises(KeyboardInterrupt):
        run_toy(tmp_path / "cut", 4, block_size=3, stop_after_blocks=5)
    before = shards_in(tmp_path / "cut")
    run_toy(tmp_path / "cut", 4, block_size=7)
    assert_same(tmp_path / "whole", tmp_path / "cut")
    after = shards_in(tmp_path / "cut")
    assert {path: after[path] for path in before} == before


def test_an_altered_shard_of_an_open_iteration_is_propagated_again(
    tmp_path, run_toy, assert_same, caplog
) -> None:
    run_toy(tmp_path / "whole", 4)
    with pytest.raises(KeyboardInterrupt):
        run_toy(tmp_path / "cut", 4, stop_after_blocks=3)
    folder = tmp_path / "cut"
    n_open = journal.last_closed(folder / "journal") + 1
    shard = next((folder / "shards" / f"{n_open:06d}").glob("seg_*.h5"))
    with h5py.File(shard, "r+") as h5:
        h5["positions"][0, 0, 0, 0] += 1.0
    run_toy(tmp_path / "cut", 4)
    assert "was altered" in caplog.text
    (aside,) = (folder / "set_aside").iterdir()
    assert shard.name in aside.name
    assert_same(tmp_path / "whole", tmp_path / "cut")


def test_a_run_of_another_seed_is_refused(tmp_path, run_toy) -> None:
    run_toy(tmp_path / "run", 2)
    with pytest.raises(ConfigError, match=r"seed 7; this campaign's is 8"):
        run_toy(tmp_path / "run", 3, seed=8)
    spec = json.loads((tmp_path / "run" / "propagation.json").read_text())
    assert spec["seed"] == 7, "the refused run is left as it was"


def test_a_run_of_another_system_is_refused(tmp_path, run_toy) -> None:
    run_toy(tmp_path / "run", 2)
    with pytest.raises(ConfigError, match="of another system"):
        run_toy(tmp_path / "run", 3, start=-1.2)


def test_the_folder_may_be_moved(tmp_path, run_toy, assert_same) -> None:
    run_toy(tmp_path / "whole", 4)
    run_toy(tmp_path / "here", 2)
    shutil.move(tmp_path / "here", tmp_path / "there")
    run_toy(tmp_path / "there", 4)
    assert_same(tmp_path / "whole", tmp_path / "there")


def test_a_replay_that_differs_from_its_record_stops_the_run(tmp_path, run_toy) -> None:
    folder = tmp_path / "run"
    run_toy(folder, 3)
    (folder / "west.h5.snapshot").unlink()
    path = journal.record_path(folder / "journal", 2)
    body = json.loads(path.read_text())
    body["weight"][0] = np.nextafter(body["weight"][0], 1.0)
    path.write_text(json.dumps(body))
    with pytest.raises(DataError, match="Replaying iteration 2 gave other walkers"):
        run_toy(folder, 4)


def test_the_summary_says_how_the_work_went(tmp_path, run_toy) -> None:
    record = run_toy(tmp_path / "run", 3)[-1]
    summary = record.summary
    assert summary["n_segments"] == len(record.segments)
    assert summary["weight_min"] <= summary["weight_p05"] <= summary["weight_p50"]
    assert 0.0 <= summary["idle_share"] <= 1.0
    assert summary["segment_s"]["min"] <= summary["segment_s"]["max"]
    assert summary["flux"] == {}
    assert summary["n_blocks_restored"] == 0
