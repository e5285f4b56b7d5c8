"""Whatever ends a run, it ends at once, leaves nothing running, and can be resumed."""

import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))
from clusters import N_ITERATIONS, ToyRun, undisturbed, write_toy

__all__ = ["undisturbed"]

PATIENCE_S = 60


class _ThisHost:
    """No batch system: no jobs."""

    def jobs(self) -> dict[str, str]:
        return {}


@pytest.fixture
def toy(weft, undisturbed, compare_ensembles, find_run_processes) -> ToyRun:
    campaign = write_toy(weft.folder, N_ITERATIONS)
    return ToyRun(
        weft, _ThisHost(), campaign, undisturbed, compare_ensembles, find_run_processes
    )


def leave(driver: Any, toy: ToyRun) -> str:
    """Wait for a driver to end with status 1 and take everything along."""
    began = time.monotonic()
    assert driver.wait(timeout=PATIENCE_S) == 1, toy.weft.said()
    assert time.monotonic() - began < PATIENCE_S
    assert not toy.find_processes(toy.weft.folder)
    said = toy.weft.said()
    assert "Traceback" not in said.rpartition(": iteration ")[2]
    return said


def read_states(toy: ToyRun) -> dict[str, str]:
    return {s["name"]: s["state"] for s in toy.weft.status(toy.run_dir)["stages"]}


@pytest.mark.slow
def test_each_ending_takes_everything_along_and_loses_nothing(toy) -> None:
    driver = toy.start("local")
    # the driver leads a group, as under a shell or `timeout`
    for stop in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        toy.in_mid_segment(driver)
        os.killpg(driver.pid, stop)
        said = leave(driver, toy)
        assert "Stopped. Nothing is lost; continue with: weft resume runs/toy" in said
        assert read_states(toy) == {"sample": "interrupted"}
        driver = toy.resume()

    toy.in_mid_segment(driver)
    toy.find_process("interchange").kill()
    said = leave(driver, toy)
    assert "interchange was killed by SIGKILL" in said
    assert "continue with: weft resume runs/toy" in said
    assert len([x for x in said.splitlines() if x.startswith("weft:")]) == 1
    assert read_states(toy) == {"sample": "interrupted"}

    driver = toy.resume()
    toy.in_mid_segment(driver)
    moved = toy.weft.folder / "moved"
    toy.run_dir.rename(moved)
    said = leave(driver, toy)
    assert f"moved to {moved}" in said
    assert f"weft resume {moved}" in said
    assert not toy.run_dir.exists()
    moved.rename(toy.run_dir)
    assert "failed" not in (toy.run_dir / "ledger.jsonl").read_text()
    toy.finish(toy.resume())
