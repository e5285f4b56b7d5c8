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
def test_what_comes_out_differently_is_said(copied: Path, weft) -> None:
    # as if the walks had been started from the files of another machine
    ledger = copied / "ledger.jsonl"
    first = json.loads(ledger.read_text().splitlines()[2])
    first["outputs"]["system/starts.npz"]["sha256"] = "0" * 64
    lines = ledger.read_text().splitlines()
    lines[2] = json.dumps(first)
    ledger.write_text("\n".join(lines) + "\n")
    done = weft.call("resume", copied)
    assert done.returncode == 1
    assert "system/starts.npz came out differently" in done.stderr
    assert "--again" in done.stderr
    assert "Traceback" not in done.stderr
    assert read_started(copied) == ["prepare"]

    again = weft.call("resume", copied, "--again")
    assert again.returncode == 0, again.stdout[-3000:] + again.stderr[-3000:]
    # both read of prepare, and come out as they were: what was made of them still fits
    assert read_started(copied) == ["reference", "tica", "report"]
    [aside] = (copied / "aside").glob("*_reference")
    walks = sorted(path.name for path in (aside / "reference").iterdir())
    assert walks == ["walk_000.h5", "walk_001.h5"]
    assert "what reference had made is in" in (
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
