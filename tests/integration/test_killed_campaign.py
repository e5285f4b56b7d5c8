"""A campaign killed in sampling, training and benchmark ends as if it had not been."""

import json
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest


def read_events(run_dir: Path) -> list[tuple[str, str]]:
    lines = (run_dir / "ledger.jsonl").read_text().splitlines()
    entries = [json.loads(line) for line in lines]
    return [(e["event"], e["stage"]) for e in entries if e["stage"]]


def progress(run_dir: Path, stage: str) -> float:
    path = run_dir / "progress" / f"{stage}.json"
    return float(json.loads(path.read_text())["done"]) if path.exists() else 0.0


def wait_until(reached: Callable[[], bool], patience_s: float = 300.0) -> None:
    end = time.monotonic() + patience_s
    while not reached():
        assert time.monotonic() < end
        time.sleep(0.05)


def find_worker(run_dir: Path) -> int:
    """Return the process id of a worker that propagates segments."""
    for path in sorted((run_dir / "tasks").glob("*.jsonl")):
        tasks = [json.loads(line) for line in path.read_text().splitlines()]
        if any(t["app"] == "propagate_block" for t in tasks):
            return int(tasks[-1]["pid"])
    raise AssertionError("no worker has propagated a block")


@pytest.mark.slow
def test_kills_change_nothing(
    uninterrupted, weft, alanine_yaml, find_run_processes, compare_campaigns, odd_folder
) -> None:
    weft.folder /= odd_folder
    weft.folder.mkdir()
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

    # somebody asks it to stop in sampling
    driver = weft.start("resume", run_dir)
    weft.wait_for(driver, lambda: progress(run_dir, "sample") > 7.2)
    asked = weft.call("stop", run_dir)
    assert asked.returncode == 0, asked.stderr
    assert "The driver has left" in asked.stdout
    assert driver.wait(timeout=60) == 1
    assert "Stopped as asked" in weft.said()
    assert weft.status(run_dir)["state"] == "interrupted"
    assert weft.call("stop", run_dir).returncode == 2

    # the driver dies in training
    driver = weft.start("resume", run_dir)
    weft.wait_for(driver, lambda: progress(run_dir, "train_weighted") >= 2)
    weft.kill(driver)

    # somebody asks it to stop in training
    driver = weft.start("resume", run_dir)
    began = progress(run_dir, "train_weighted")
    weft.wait_for(driver, lambda: progress(run_dir, "train_weighted") > began + 1)
    assert weft.call("stop", run_dir).returncode == 0
    assert driver.wait(timeout=60) == 1

    # a driver that survives logout dies in the benchmark
    detached = weft.call("resume", run_dir, "--detach")
    assert detached.returncode == 0, detached.stderr
    driver_pid = int(json.loads((run_dir / "driver.json").read_text())["pid"])
    assert str(driver_pid) in detached.stdout
    wait_until(lambda: progress(run_dir, "benchmark_weighted") > 2.3)
    second = weft.call("resume", run_dir)
    assert second.returncode == 1
    assert "Another driver" in second.stderr
    os.kill(driver_pid, signal.SIGKILL)

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

    compare_campaigns(run_dir, uninterrupted)


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
