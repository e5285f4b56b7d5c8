"""What WE machinery costs around packed CG propagation, for packing.py."""

import json
import statistics
from pathlib import Path
from typing import Any

import numpy as np

N_WORKERS = 2


def measure_share(
    folder: Path,
    propagator: dict[str, Any],
    starts: np.ndarray,
    n_segments: int,
    n_iterations: int,
) -> tuple[float, float]:
    """Return the share of an iteration that is not propagation, and its seconds.

    Whole iterations through Parsl on the local site: dispatch, shards, journal,
    resampling. Medians over all but the first, in which workers warm up.

    Parameters
    ----------
    starts : (n_starts, n_beads, 3), Angstrom
    """
    import parsl

    from apps.propagate import compute_start_pcoords, propagate_block
    from apps.science.we.config import RectilinearBins, WEConfig
    from apps.science.we.dispatch import Block, Dispatch, block_sizer
    from apps.science.we.engine import Starts, prepare_folder, run_we
    from apps.science.we.spec import PropagationSpec
    from site_configs.build import build_config
    from site_configs.load import load_site

    folder.mkdir(parents=True)
    np.savez(folder / "starts.npz", positions=starts, velocities=np.zeros_like(starts))
    pcoord = {"kind": "cartesian", "axes": [0]}
    spec = PropagationSpec(3, propagator, pcoord, str(folder / "starts.npz"))
    config = WEConfig(
        n_iterations=n_iterations,
        walkers_per_bin=n_segments,
        bins=RectilinearBins(edges=((1e6,),)),
    )
    path = prepare_folder(folder, config, spec, spec.n_frames)

    def submit(block: Block) -> Any:
        origins = [(origin.shard, origin.row) for origin in block.origins]
        return propagate_block(
            path, block.n_iter, block.seg_ids, block.parent_ids, origins, block.out
        )

    sizer = block_sizer("auto", N_WORKERS, spec.blocks_per_worker)
    dispatch = Dispatch(
        submit, sizer, lambda record: None, lambda *_: None, n_slots=N_WORKERS
    )
    site = build_config(load_site("local"), folder / "parsl", roles=["md"])
    names = [f"start_{k}" for k in range(len(starts))]
    with parsl.load(site):
        pcoords = compute_start_pcoords(path).result()
        chances = [1.0 / len(starts)] * len(starts)
        run_we(folder, config, 3, Starts(names, chances, pcoords), dispatch)
    shares, walls = [], []
    for record in sorted((folder / "journal").glob("iter_*.json"))[1:]:
        work = json.loads(record.read_text())["summary"]
        busy = (1.0 - work["idle_share"]) * work["propagate_s"]
        shares.append(1.0 - busy / work["wall_s"])
        walls.append(work["wall_s"])
    return statistics.median(shares), statistics.median(walls)
