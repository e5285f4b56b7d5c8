"""Drive one weighted-ensemble run from the driver, its blocks as Parsl tasks."""

import logging
import math
import time
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
    from apps.science.we.dispatch import Block, Dispatch, block_sizer
    from apps.science.we.engine import Starts, prepare_folder, run_we
    from apps.science.we.storage.journal import IterationRecord

    spec = prepare_folder(run.folder, run.config, run.spec, run.n_frames)
    check_segment_fits(ctx, run.stage, spec)
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

    published = Published(ctx, run.stage, config.n_iterations)

    def close(record: IterationRecord) -> None:
        summary = record.summary
        log.info(
            "%s: iteration %d of %d: %d segments in %.1f s, %d bins, ESS %.1f",
            run.stage, record.n_iter, config.n_iterations, summary["n_segments"],
            summary["wall_s"], summary["n_bins_occupied"], summary["ess"],
        )  # fmt: skip
        on_iteration(record.n_iter)

    n_slots = ctx.n_workers(MD)
    per_worker = config.blocks_per_worker or run.spec.blocks_per_worker
    sizer = block_sizer(config.segments_per_block, n_slots, per_worker)
    dispatch = Dispatch(
        submit, sizer, close, published.block, published.waiting, n_slots,
        config.failures,
    )  # fmt: skip
    run_we(run.folder, config, run.spec.seed, starts, dispatch)
    ctx.progress(run.stage, config.n_iterations, config.n_iterations, "iterations")


def check_segment_fits(ctx: Context, stage: str, spec: Path) -> None:
    """Time a piece of a segment on a worker; refuse one longer than a batch job.

    Raises
    ------
    SiteError
        If no block of the site is long enough for one segment.
    """
    from apps.propagate import time_segment
    from site_configs.checks.fit import check_walltime, usable_seconds

    if usable_seconds(ctx.site, MD) < math.inf:
        seconds = time_segment(spec, stage=stage).result()
        what = f"One segment of stage {stage}"
        check_walltime(ctx.site, MD, seconds, what, "make segments shorter")


class Published:
    """Tells the status how far a WE run is, a few times a second at most."""

    EVERY_S = 0.5

    def __init__(self, ctx: Context, stage: str, n_iterations: int) -> None:
        self.ctx, self.stage, self.n_iterations = ctx, stage, n_iterations
        self.last = 0.0
        self.done = 0.0

    def block(self, n_iter: int, n_done: int, n_segments: int) -> None:
        """Note that ``n_done`` of an iteration's segments are finished."""
        self.done = n_iter - 1 + n_done / n_segments
        if time.monotonic() - self.last > self.EVERY_S:
            self._publish(f"{n_done} of {n_segments} walkers of iteration {n_iter}")

    def waiting(self, said: str) -> None:
        """Note what the run waits for."""
        self._publish(f"waiting {said}")

    def _publish(self, detail: str) -> None:
        self.last = time.monotonic()
        self.ctx.progress(
            self.stage, round(self.done, 2), self.n_iterations, "iterations", detail
        )
