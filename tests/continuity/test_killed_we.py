"""Thirty kills in one run: the same bits, and no finished block propagated again."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import h5py
import numpy as np
import psutil
import pytest

from campaign.driver import reaper

DRIVER = Path(__file__).with_name("drive_we.py")
N_DRIVER_KILLS, N_WORKER_KILLS = 20, 10
PATIENCE_S = 600


def start(folder: Path) -> subprocess.Popen[bytes]:
    folder.mkdir(exist_ok=True)
    with (folder / "driver.out").open("a") as out:
        return subprocess.Popen(
            [sys.executable, DRIVER, folder], stdout=out, stderr=out, cwd=folder
        )


def finish(folder: Path) -> None:
    assert start(folder).wait(timeout=PATIENCE_S) == 0, said(folder)


def said(folder: Path) -> str:
    return (folder / "driver.out").read_text()[-3000:]


def shards_in(folder: Path) -> dict[str, tuple[int, int]]:
    """Return inode and time of every finished shard; a second writing shows."""
    found = {}
    for path in folder.glob("shards/*/seg_*.h5"):
        stat = path.stat()
        found[str(path)] = (stat.st_ino, stat.st_mtime_ns)
    return found


def workers_of(folder: Path) -> list[psutil.Process]:
    """Return the processes that propagate: those that have noted a task."""
    pids = {int(p.stem.rsplit("-", 1)[1]) for p in folder.glob("tasks/*.jsonl")}
    return [p for p in reaper.find_leftovers(folder) if p.pid in pids]


def kill_a_worker(folder: Path, rng: random.Random) -> bool:
    workers = workers_of(folder)
    if not workers:
        return False
    os.kill(rng.choice(workers).pid, signal.SIGKILL)
    return True


def compare(one: Path, other: Path) -> None:
    with h5py.File(one / "west.h5", "r") as a, h5py.File(other / "west.h5", "r") as b:
        assert list(a["iterations"]) == list(b["iterations"])
        for name, group in a["iterations"].items():
            twin = b["iterations"][name]
            for column in ("weight", "parent_id", "wtg_n_parents"):
                np.testing.assert_array_equal(
                    group["seg_index"][column], twin["seg_index"][column]
                )
            np.testing.assert_array_equal(group["pcoord"], twin["pcoord"])


@pytest.mark.slow
def test_thirty_kills_change_no_bit_and_repeat_no_block(tmp_path) -> None:
    finish(tmp_path / "whole")
    folder, rng = tmp_path / "killed", random.Random(20261121)
    held: dict[str, tuple[int, int]] = {}
    n_driver = n_worker = 0
    while n_driver < N_DRIVER_KILLS:
        driver = start(folder)
        # from its first import to some iterations on; a worker dies in between
        time.sleep(rng.uniform(0.2, 3.0))
        if n_worker < N_WORKER_KILLS and n_worker <= n_driver:
            end = time.monotonic() + PATIENCE_S
            while not kill_a_worker(folder, rng):
                assert driver.poll() is None, said(folder)
                assert time.monotonic() < end, said(folder)
                time.sleep(0.05)
            n_worker += 1
            time.sleep(rng.uniform(0.0, 1.5))
        assert driver.poll() is None, f"ended after {n_driver} kills: {said(folder)}"
        driver.kill()
        driver.wait()
        n_driver += 1
        now = shards_in(folder)
        assert {path: now.get(path) for path in held} == held
        held = now
    assert not (folder / "done").exists()
    finish(folder)
    reaper.reap(folder)

    assert n_worker == N_WORKER_KILLS
    now = shards_in(folder)
    again = sum(now.get(path) != found for path, found in held.items())
    assert again == 0, f"{again} finished blocks were propagated again"
    assert len(now) == len(shards_in(tmp_path / "whole"))
    compare(folder, tmp_path / "whole")
