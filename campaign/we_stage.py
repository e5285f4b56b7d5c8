"""Drive one weighted-ensemble run from the driver, its blocks as Parsl tasks."""

import logging
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from apps.roles import MD
from apps.science.we.config import WEConfig
from apps.science.we.spec import PropagationSpec
from campaign.context import Context

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class WERun:
    """A WE run to drive: where, how many iterations, with what."""

    stage: str
    folder: Path
    config: WEConfig
    spec: PropagationSpec
    n_frames: int
    start_names: list[str]
    start_probabilities: list[float]


def drive_we(
    ctx: Context,
    run: WERun,
    on_iteration: Callable[[int], None] = lambda n_iter: None,
) -> None:
    """Run ``run`` to its last iteration; continue it where an earlier start stopped.

    ``on_iteration`` is called as each iteration closes.
    """
    from apps.propagate import compute_start_pcoords, propagate_block
    from apps.science.we.engine import Starts, prepare_folder, run_we
    from apps.science.we.journal import IterationRecord
    from apps.science.we.sim_manager import Block, Dispatch, block_sizer

    spec = prepare_folder(run.folder, run.config, run.spec, run.n_frames)
    pcoords = compute_start_pcoords(spec, stage=run.stage).result()
    starts = Starts(run.start_names, run.start_probabilities, pcoords)
    config = run.config

    def submit(block: Block) -> "Future[Any]":
        origins = [(origin.shard, origin.row) for origin in block.origins]
        future: Future[Any] = propagate_block(
            spec, block.n_iter, block.seg_ids, block.parent_ids, origins, block.out,
            stage=run.stage,
        )  # fmt: skip
        return future

    def on_block(n_iter: int, n_done: int, n_segments: int) -> None:
        done = n_iter - 1 + n_done / n_segments
        detail = f"{n_done} of {n_segments} walkers of iteration {n_iter}"
        ctx.progress(
            run.stage, round(done, 2), config.n_iterations, "iterations", detail
        )

    def close(record: IterationRecord) -> None:
        summary = record.summary
        log.info(
            "%s: iteration %d of %d: %d segments in %.1f s, %d bins, ESS %.1f",
            run.stage, record.n_iter, config.n_iterations, summary["n_segments"],
            summary["wall_s"], summary["n_bins_occupied"], summary["ess"],
        )  # fmt: skip
        on_iteration(record.n_iter)

    sizer = block_sizer(
        config.segments_per_block, ctx.n_workers(MD), config.blocks_per_worker
    )
    run_we(
        run.folder, config, run.spec.seed, starts,
        Dispatch(submit, sizer, close, on_block),
    )  # fmt: skip
    ctx.progress(run.stage, config.n_iterations, config.n_iterations, "iterations")
