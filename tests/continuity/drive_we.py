"""Run or continue a WE simulation of a toy in a folder, through Parsl's workers.

A driver to be killed: ``python drive_we.py FOLDER``. Ends what an earlier one left
behind, as ``weft resume`` does.
"""

import os
import sys
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import numpy as np
import parsl

from apps.propagate import compute_start_pcoords, propagate_block
from apps.science.stopping import RUN_DIR_VARIABLE
from apps.science.we.config import WEConfig
from apps.science.we.dispatch import Block, Dispatch, block_sizer
from apps.science.we.engine import Starts, prepare_folder, run_we
from apps.science.we.spec import PropagationSpec
from campaign.driver import reaper
from site_configs.build import build_config
from site_configs.load import load_site

N_ITERATIONS = 30
SEED = 11


def main(folder: Path) -> None:
    (folder / "tasks").mkdir(parents=True, exist_ok=True)
    reaper.reap(folder)
    tag = {RUN_DIR_VARIABLE: str(folder)}
    os.environ.update(tag)
    starts = folder / "starts.npz"
    if not starts.exists():
        position = np.array([[[-1.0, 0.0, 0.0]]])
        np.savez(starts, positions=position, velocities=np.zeros_like(position))
    # a block takes about a third of a second
    toy = {"kind": "toy", "n_steps": 20_000, "n_steps_per_frame": 2000}
    spec = PropagationSpec(SEED, toy, {"kind": "cartesian"}, str(starts))
    config = WEConfig(
        n_iterations=N_ITERATIONS,
        walkers_per_bin=4,
        bins={"kind": "mab", "nbins": [6]},
        segments_per_block=3,
    )
    path = prepare_folder(folder, config, spec, spec.n_frames)

    def submit(block: Block) -> "Future[Any]":
        origins = [(origin.shard, origin.row) for origin in block.origins]
        future: Future[Any] = propagate_block(
            path, block.n_iter, block.seg_ids, block.parent_ids, origins, block.out
        )
        return future

    dispatch = Dispatch(
        submit, block_sizer(3, 2, 1), lambda record: None, lambda *_: None, n_slots=2
    )
    with parsl.load(build_config(load_site("local"), folder / "parsl", tag, ["md"])):
        pcoords = compute_start_pcoords(path).result()
        run_we(folder, config, SEED, Starts(["left"], [1.0], pcoords), dispatch)
    (folder / "done").touch()


if __name__ == "__main__":
    main(Path(sys.argv[1]).absolute())
