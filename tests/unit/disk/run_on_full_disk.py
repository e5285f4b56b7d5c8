"""Run a toy WE simulation on disks too small for it; with room, it goes on.

``python run_on_full_disk.py FOLDER`` in a mount namespace writes outcomes.json: what
each size gave, and whether the run ended as one that met no full disk.
"""

import json
import subprocess
import sys
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from apps.science.disk import is_disk_full
from apps.science.we import engine
from apps.science.we.block import compute_start_pcoords, propagate_block
from apps.science.we.config import WEConfig
from apps.science.we.dispatch import Block, Dispatch, block_sizer
from apps.science.we.spec import PropagationSpec
from apps.science.we.storage.shards import check_shard

N_ITERATIONS = 3
FOLDER = Path(sys.argv[1])


def run_toy(folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    starts = FOLDER / "starts.npz"
    position = np.array([[[-1.0, 0.0, 0.0]]])
    np.savez(starts, positions=position, velocities=np.zeros((1, 1, 3)))
    config = WEConfig(
        n_iterations=N_ITERATIONS, walkers_per_bin=4, bins={"kind": "mab", "nbins": [5]}
    )
    toy = {"kind": "toy", "n_steps": 50, "n_steps_per_frame": 10}
    spec = PropagationSpec(7, toy, {"kind": "cartesian"}, str(starts))
    path = engine.prepare_folder(folder, config, spec, n_frames=5)
    with ThreadPoolExecutor(2) as pool:

        def submit(block: Block) -> Future[Any]:
            return pool.submit(
                propagate_block, path, block.n_iter, block.seg_ids,
                block.parent_ids, block.origins, block.out,
            )  # fmt: skip

        dispatch = Dispatch(
            submit, block_sizer(5, 2, 1), lambda record: None, lambda *_: None
        )
        begin = engine.Starts(["left"], [1.0], compute_start_pcoords(path))
        engine.run_we(folder, config, 7, begin, dispatch)


def walkers(folder: Path) -> list[Any]:
    with h5py.File(folder / "west.h5", "r", locking=False) as h5:
        groups = [h5["iterations"][name] for name in sorted(h5["iterations"])]
        return [
            (g["seg_index"]["weight"].tolist(), g["seg_index"]["parent_id"].tolist(),
             g["pcoord"][()].tolist()) for g in groups
        ]  # fmt: skip


def digests(folder: Path) -> dict[str, str]:
    found = sorted(folder.glob("shards/*/*.h5"))
    return {str(p.relative_to(folder)): check_shard(p) for p in found}


def main() -> None:
    whole, disk = FOLDER / "whole", FOLDER / "disk"
    run_toy(whole)
    disk.mkdir()
    size = sum(p.stat().st_size for p in whole.rglob("*") if p.is_file())
    pages = 1 + size // 4096
    outcomes: dict[str, str] = {}
    for n in (*range(2, pages + 12, max(1, pages // 10)), 3 * pages):
        options = f"size={4 * n}k"
        subprocess.run(
            ["mount", "-t", "tmpfs", "-o", options, "none", disk], check=True
        )
        outcomes[str(4 * n)] = f"{begin(disk)}, then {go_on(disk, whole)}"
        subprocess.run(["umount", disk], check=True)
    (FOLDER / "outcomes.json").write_text(json.dumps(outcomes, indent=1))


def begin(disk: Path) -> str:
    try:
        run_toy(disk / "run")
    except Exception as error:
        if is_disk_full(error):
            return "full"
        return f"{type(error).__name__}: {error}"
    return "done"


def go_on(disk: Path, whole: Path) -> str:
    subprocess.run(["mount", "-o", "remount,size=64m", disk], check=True)
    run_toy(disk / "run")
    same = walkers(disk / "run") == walkers(whole)
    return "the same" if same and digests(disk / "run") == digests(whole) else "OTHER"


if __name__ == "__main__":
    main()
