"""A run folder whose WE run is a real one: a double well, recycled."""

from concurrent.futures import Future
from pathlib import Path

import numpy as np
import yaml

from apps.science.we import engine
from apps.science.we.block import compute_start_pcoords, propagate_block
from apps.science.we.config import WEConfig
from apps.science.we.dispatch import Block, Dispatch
from apps.science.we.spec import PropagationSpec
from apps.science.we.storage.shards import FinishedBlock

TARGET_LABEL = "right"
TAU_PS = 0.4


def write_recycled_run(root: Path, n_iterations: int = 40) -> Path:
    """Write the run folder and sample it, in this process.

    Particles start at -1 and are sent back from 0.9 on; the barrier is 3 kT.
    """
    folder = root / "we"
    folder.mkdir(parents=True)
    sample = {
        "n_iterations": n_iterations,
        "walkers_per_bin": 12,
        "bins": {"kind": "rectilinear", "edges": [[-0.7, -0.4, -0.1, 0.3]]},
        "targets": [{"label": TARGET_LABEL, "region": [[0.9, None]]}],
    }
    (root / "resolved.yaml").write_text(
        yaml.safe_dump(
            {"name": root.name, "type": "force_field",
             "sample": sample | {"segment_length_fs": 1000 * TAU_PS}}
        )
    )  # fmt: skip
    starts = folder / "starts.npz"
    np.savez(starts, positions=[[[-1.0, 0.0, 0.0]]], velocities=np.zeros((1, 1, 3)))
    toy = {
        "kind": "toy", "n_steps": 400, "n_steps_per_frame": 400, "timestep_fs": 1.0,
        "barrier_kt": 3.0,
    }  # fmt: skip
    spec = PropagationSpec(5, toy, {"kind": "cartesian"}, str(starts))
    config = WEConfig.model_validate(sample)
    path = engine.prepare_folder(folder, config, spec, n_frames=1)

    def submit(block: Block) -> Future[FinishedBlock]:
        done: Future[FinishedBlock] = Future()
        done.set_result(
            propagate_block(
                path, block.n_iter, block.seg_ids, block.parent_ids, block.origins,
                block.out,
            )
        )  # fmt: skip
        return done

    dispatch = Dispatch(submit, lambda n: n, lambda _: None, lambda *_: None)
    begin = engine.Starts(["left"], [1.0], compute_start_pcoords(path))
    engine.run_we(folder, config, 5, begin, dispatch)
    return root
