"""A finished campaign whose shards and records were harmed is made whole by resume."""

import json
import shutil
from pathlib import Path

import h5py

from apps.science.we.storage.shards import check_shard


def digests(run: Path) -> dict[Path, str]:
    found = sorted(run.glob("**/shards/*/*.h5"))
    return {path.relative_to(run): check_shard(path) for path in found}


def stages_done(run: Path) -> list[str]:
    lines = (run / "ledger.jsonl").read_text().splitlines()
    entries = [json.loads(line) for line in lines]
    return [e["stage"] for e in entries if e["event"] == "done"]


def test_what_was_lost_is_made_again_and_nothing_else(
    uninterrupted, weft, tmp_path
) -> None:
    run = tmp_path / "runs" / uninterrupted.name
    shutil.copytree(uninterrupted, run, symlinks=True)
    before = stages_done(run)
    record = run / "we" / "journal" / "iter_000001.json"
    record.write_text(record.read_text()[:50])
    shard = sorted((run / "we" / "shards" / "000002").glob("*.h5"))[0]
    with h5py.File(shard, "r+") as h5:
        h5["positions"][0, 0, 0, 0] += 1.0
    benchmark = run / "benchmark" / "weighted"
    sorted((benchmark / "shards" / "000001").glob("*.h5"))[0].unlink()
    refused = weft.call("export", run)
    assert refused.returncode == 1
    assert "Type `weft resume` with the run folder" in refused.stderr
    done = weft.call("resume", run)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr
    assert digests(run) == digests(uninterrupted)
    again = stages_done(run)[len(before) :]
    assert sorted(again) == ["benchmark_weighted", "report", "sample"]
    aside = {path.name for path in (run / "we" / "set_aside").iterdir()}
    assert {"journal_iter_000001.json.1", "west.h5.1"} < aside
    assert any(name.startswith("shards_000002_seg_") for name in aside)
    exported = weft.call("export", run)
    assert exported.returncode == 0, exported.stderr
