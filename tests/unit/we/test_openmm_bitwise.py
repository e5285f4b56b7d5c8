"""All-atom WE repeats itself to the bit, in whatever blocks and through a stop."""

import multiprocessing
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from apps.science.propagators.base import States
from apps.science.systems.info import read_starts
from apps.science.we.config import WEConfig

N_ITERATIONS = 4
CONFIG = WEConfig(
    n_iterations=N_ITERATIONS, walkers_per_bin=3, bins={"kind": "mab", "nbins": [2]}
)


@pytest.fixture
def run(run_walkers: Callable[..., Path], alanine_system: Path) -> Callable[..., Path]:
    def run(folder: Path, platform: str, exact_replay: bool = True, **how: Any) -> Path:
        openmm = {
            "kind": "openmm", "system_dir": str(alanine_system), "platform": platform,
            "n_steps": 10, "n_steps_per_frame": 5, "exact_replay": exact_replay,
        }  # fmt: skip
        starts = read_starts(alanine_system)
        states = States(starts.positions, starts.velocities)
        return run_walkers(folder, CONFIG, openmm, states, **how)

    return run


def read_visited(west_h5: Path) -> np.ndarray:
    with h5py.File(west_h5, "r") as h5:
        return h5[f"iterations/iter_{N_ITERATIONS:08d}/pcoord"][:]


@pytest.mark.parametrize("platform", ["Reference", "CPU"])
def test_neither_blocks_nor_a_stop_nor_new_workers_change_a_bit(
    tmp_path, run, assert_same, platform
) -> None:
    west = run(tmp_path / "whole", platform)
    visited = read_visited(west)
    assert len(visited) > CONFIG.walkers_per_bin
    assert np.unique(visited[:, -1]).size == len(visited)
    with pytest.raises(KeyboardInterrupt):  # amid the third iteration
        run(tmp_path / "cut", platform, block_size=4, stop_after_blocks=6)
    before = {p: p.stat().st_mtime_ns for p in tmp_path.glob("cut/shards/*/*.h5")}
    assert (tmp_path / "cut/journal/iter_000002.json").exists()
    assert any("000003" in str(path) for path in before)
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, spawn) as fresh:
        run(tmp_path / "cut", platform, block_size=2, executor=fresh)
    assert {p: p.stat().st_mtime_ns for p in before} == before
    assert_same(tmp_path / "whole", tmp_path / "cut")


def test_one_walker_a_block_is_all_walkers_in_one(tmp_path, run, assert_same) -> None:
    run(tmp_path / "one", "Reference", block_size=1)
    run(tmp_path / "all", "Reference")
    assert_same(tmp_path / "one", tmp_path / "all")


def test_without_exact_replay_a_stopped_run_goes_on_elsewhere(tmp_path, run) -> None:
    whole = read_visited(run(tmp_path / "whole", "Reference", False))
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "cut", "Reference", False, block_size=4, stop_after_blocks=2)
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, spawn) as fresh:
        west = run(tmp_path / "cut", "Reference", False, executor=fresh)
    resumed = read_visited(west)
    assert np.isfinite(resumed).all()
    assert whole.shape != resumed.shape or (whole != resumed).any()
