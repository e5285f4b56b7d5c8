"""Files taken out of a finished run are made again, the same, and nothing else is."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from apps.science.content import hash_content

# one or more of every stage but the trainings, which take a minute: tests/unit/learning
TAKEN = (
    "system/system.xml", "reference/walk_001.h5", "reference/tica.npz", "we/west.h5",
    "segments.h5", "cg/prior.yaml", "cg/dataset.h5", "benchmark/weighted/frames.h5",
)  # fmt: skip
REMADE = {
    "prepare", "reference", "tica", "sample", "ingest", "prior", "dataset",
    "benchmark_weighted", "report",
}  # fmt: skip


def read_started(run_dir: Path) -> list[str]:
    """Return the stages that were started since the driver last began."""
    lines = (run_dir / "ledger.jsonl").read_text().splitlines()
    entries = [json.loads(line) for line in lines]
    last = max(k for k, e in enumerate(entries) if e["event"] == "run_started")
    return [e["stage"] for e in entries[last:] if e["event"] == "started"]


@pytest.fixture
def copied(uninterrupted: Path, weft) -> Path:
    return shutil.copytree(uninterrupted, weft.folder / "runs" / uninterrupted.name)


@pytest.mark.slow
def test_what_is_gone_is_made_again(
    copied: Path, uninterrupted: Path, weft, compare_campaigns: Callable[..., None]
) -> None:
    for name in TAKEN:
        (copied / name).unlink()
    done = weft.call("resume", copied)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert set(read_started(copied)) == REMADE
    for name in TAKEN:
        assert (copied / name).is_file(), name
    compare_campaigns(copied, uninterrupted)

    # an unfinished run: its sampling has begun, what it starts from is gone
    entries = (copied / "ledger.jsonl").read_text().splitlines()
    kept = [
        e
        for e in entries
        if json.loads(e)["stage"] in {None, "prepare", "reference", "tica"}
    ]
    (copied / "ledger.jsonl").write_text("\n".join(kept) + "\n")
    for name in ("system/system.xml", "we/west.h5"):
        (copied / name).unlink()
    done = weft.call("resume", copied)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert {"prepare", "sample"} <= set(read_started(copied))
    assert "reference" not in read_started(copied)
    compare_campaigns(copied, uninterrupted)


@pytest.mark.slow
def test_what_reads_a_file_that_comes_out_differently_runs_again(
    copied: Path, weft
) -> None:
    # as if prepare and the walks had been made on another machine
    ledger = copied / "ledger.jsonl"
    entries = [json.loads(line) for line in ledger.read_text().splitlines()]
    for entry in entries:
        if (entry["event"], entry["stage"]) == ("done", "prepare"):
            entry["outputs"]["system/starts.npz"]["sha256"] = "0" * 64
        if (entry["event"], entry["stage"]) == ("done", "reference"):
            entry["inputs"]["system/starts.npz"]["sha256"] = "0" * 64
    ledger.write_text("".join(json.dumps(entry) + "\n" for entry in entries))
    done = weft.call("resume", copied)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert "system/starts.npz came out differently; reference runs again" in done.stdout
    # the walks come out as they were: what was made of them still fits
    assert read_started(copied) == ["prepare", "reference", "report"]
    [aside] = (copied / "aside").glob("*_reference")
    walks = sorted(path.name for path in (aside / "reference").iterdir())
    assert walks == ["walk_000.h5", "walk_001.h5"]
    assert "reference runs again, and what it had made is in" in (
        (copied / "report" / "index.html").read_text()
    )


@pytest.mark.slow
def test_a_damaged_model_is_named_and_resume_makes_it_good(
    copied: Path, uninterrupted: Path, weft
) -> None:
    best = Path("models/weighted/checkpoints/best.pt")
    (copied / best).write_bytes((uninterrupted / best).read_bytes()[:-1000])
    refused = weft.call("simulate", copied / "models" / "weighted", "--steps", "100")
    assert refused.returncode == 1
    assert "weft resume makes it again" in " ".join(refused.stderr.split())

    done = weft.call("resume", copied)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert "train_weighted" in read_started(copied)
    assert "benchmark_weighted" not in read_started(copied)  # it is the same model
    assert hash_content(copied / best) == hash_content(uninterrupted / best)
    assert (copied / best).with_name("best.damaged.pt").exists()
