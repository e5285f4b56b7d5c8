"""A campaign killed in sampling, training and benchmark ends as if it had not been."""

import json
import os
import signal
from pathlib import Path

import h5py
import numpy as np
import pytest


def read_events(run_dir: Path) -> list[tuple[str, str]]:
    lines = (run_dir / "ledger.jsonl").read_text().splitlines()
    entries = [json.loads(line) for line in lines]
    return [(e["event"], e["stage"]) for e in entries if e["stage"]]


def progress(run_dir: Path, stage: str) -> float:
    path = run_dir / "progress" / f"{stage}.json"
    return float(json.loads(path.read_text())["done"]) if path.exists() else 0.0


def find_worker(run_dir: Path) -> int:
    """Return the process id of a worker that propagates segments."""
    for path in sorted((run_dir / "tasks").glob("*.jsonl")):
        tasks = [json.loads(line) for line in path.read_text().splitlines()]
        if any(t["app"] == "propagate_block" for t in tasks):
            return int(tasks[-1]["pid"])
    raise AssertionError("no worker has propagated a block")


def compare_west(one: Path, other: Path) -> None:
    with h5py.File(one, "r") as a, h5py.File(other, "r") as b:
        assert list(a["iterations"]) == list(b["iterations"])
        for name, group in a["iterations"].items():
            twin = b["iterations"][name]
            for column in ("weight", "parent_id"):
                np.testing.assert_array_equal(
                    group["seg_index"][column], twin["seg_index"][column]
                )
            np.testing.assert_array_equal(group["pcoord"], twin["pcoord"])


def compare_datasets(one: Path, other: Path) -> None:
    with h5py.File(one, "r") as a, h5py.File(other, "r") as b:
        names: list[str] = []
        a.visititems(
            lambda n, x: names.append(n) if isinstance(x, h5py.Dataset) else None
        )
        assert names
        for name in names:
            np.testing.assert_array_equal(a[name][()], b[name][()])


@pytest.mark.slow
def test_kills_change_nothing(
    uninterrupted, weft, alanine_yaml, find_run_processes
) -> None:
    run_dir = weft.folder / "runs" / "alanine_dipeptide"
    driver = weft.start("run", alanine_yaml)

    # a worker dies in sampling: its block is sent out again
    weft.wait_for(driver, lambda: progress(run_dir, "sample") > 2.2)
    victim = find_worker(run_dir)
    os.kill(victim, signal.SIGKILL)

    # the driver dies in sampling
    weft.wait_for(driver, lambda: progress(run_dir, "sample") > 5.3)
    weft.kill(driver)
    assert weft.status(run_dir)["state"] == "interrupted"

    # ... in training
    driver = weft.start("resume", run_dir)
    weft.wait_for(driver, lambda: progress(run_dir, "train_weighted") >= 2)
    weft.kill(driver)

    # ... and in the benchmark
    driver = weft.start("resume", run_dir)
    weft.wait_for(driver, lambda: progress(run_dir, "benchmark_weighted") > 2.3)
    second = weft.call("resume", run_dir)
    assert second.returncode == 1
    assert "Another driver" in second.stderr
    weft.kill(driver)

    done = weft.call("resume", run_dir)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert not find_run_processes(weft.folder)

    events = read_events(run_dir)
    assert sorted(s for e, s in events if e == "done") == sorted(
        s for e, s in read_events(uninterrupted) if e == "done"
    )
    finished: set[str] = set()
    for event, stage in events:
        assert event != "failed"
        assert not (event == "started" and stage in finished), f"{stage} was repeated"
        if event == "done":
            finished.add(stage)

    for name in ("we", "benchmark/weighted", "benchmark/unweighted"):
        compare_west(run_dir / name / "west.h5", uninterrupted / name / "west.h5")
    for name in ("segments.h5", "cg/dataset.h5", "reference/frames.h5"):
        compare_datasets(run_dir / name, uninterrupted / name)
    for model in ("weighted", "unweighted"):
        one, other = (
            json.loads((r / "benchmark" / model / "metrics.json").read_text())
            for r in (run_dir, uninterrupted)
        )
        assert one["metrics"] == other["metrics"]


@pytest.mark.slow
def test_ctrl_c_prints_the_command_that_goes_on(
    weft, alanine_yaml, find_run_processes
) -> None:
    run_dir = weft.folder / "runs" / "alanine_dipeptide"
    driver = weft.start("run", alanine_yaml)
    weft.wait_for(driver, lambda: progress(run_dir, "reference") > 0)
    os.kill(driver.pid, signal.SIGINT)
    assert driver.wait(timeout=60) == 1
    assert "weft resume runs/alanine_dipeptide" in weft.said()
    assert not find_run_processes(weft.folder)
