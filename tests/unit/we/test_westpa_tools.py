"""A run folder is a plain WESTPA folder: stock tools read it and continue it."""

import os
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest


def call(tool: str, *arguments: str, folder: Path) -> None:
    done = subprocess.run(
        [Path(sys.executable).with_name(tool), *arguments], cwd=folder, text=True,
        capture_output=True, check=False,
        env=os.environ | {"WEST_SIM_ROOT": str(folder)},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]


def test_stock_w_run_continues_a_run(tmp_path, run_toy) -> None:
    folder = tmp_path / "run"
    run_toy(folder, 3)
    cfg = folder / "west.cfg"
    cfg.write_text(
        cfg.read_text().replace("max_total_iterations: 3", "max_total_iterations: 5")
    )
    call("w_run", "-r", "west.cfg", "--serial", folder=folder)
    with h5py.File(folder / "west.h5") as west:
        for n_iter in (4, 5):
            index = west[f"iterations/iter_{n_iter:08d}/seg_index"][:]
            assert (index["status"] == 2).all()
            assert index["weight"].sum() == pytest.approx(1.0, abs=1e-12)
            pcoord = west[f"iterations/iter_{n_iter:08d}/pcoord"][:]
            assert np.isfinite(pcoord).all()


@pytest.mark.parametrize(
    "command",
    [
        ["w_pdist", "-W", "west.h5", "-o", "pdist.h5", "--serial"],
        ["w_trace", "-W", "west.h5", "3:0"],
        ["w_bins", "-W", "west.h5", "info", "--bins-from-expr", "[[-3,0,3]]"],
    ],
)
def test_stock_tools_read_a_run(tmp_path, run_toy, command) -> None:
    folder = tmp_path / "run"
    run_toy(folder, 3)
    call(*command, folder=folder)
