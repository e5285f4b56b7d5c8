"""WESTPA's simulation managers with weft's dispatch, seeds and journal.

Only what happens between "these segments are incomplete" and "all are complete" is
replaced: blocks go out through ``submit``, shards that a killed run left behind are
taken as finished, and walkers are binned together, in seg_id order, once all are in.
"""

import logging
import shutil
import time
from collections.abc import Callable
from concurrent.futures import Future, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.random import MT19937, Generator
from westpa.core.binning.mab_manager import MABSimManager
from westpa.core.sim_manager import WESimManager

from apps.science.errors import WeightError
from apps.science.files import hash_file
from apps.science.seeds import derive_seed
from apps.science.we import journal, ordered, shards
from apps.science.we.westpa_propagator import complete_segment

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Block:
    """One task: segments of one iteration that are propagated together."""

    n_iter: int
    seg_ids: list[int]
    parent_ids: list[int]
    origins: list[shards.Origin]
    out: Path


@dataclass(frozen=True)
class Dispatch:
    """How a run reaches its workers and whom it tells."""

    submit: Callable[[Block], "Future[Any]"]
    block_size: Callable[[int], int]
    on_iteration: Callable[[journal.IterationRecord], None]
    on_block: Callable[[int, int, int], None]
    """Called with n_iter, segments finished, segments in all."""


class WeftManager:
    """Mixed into WESTPA's managers; see the module's first lines."""

    folder: Path
    seed: int
    dispatch: Dispatch
    # what WESTPA's managers bring
    n_iter: Any
    segments: Any
    completed_segments: Any
    incomplete_segments: Any
    current_iter_istates: Any
    current_iter_bstates: Any
    data_manager: Any
    we_driver: Any
    get_istate_futures: Any
    save_bin_data: Any

    def set_up(self, folder: Path, seed: int, dispatch: Dispatch) -> None:
        """Give the manager its run folder, seed and dispatch."""
        self.folder, self.seed, self.dispatch = folder, seed, dispatch
        self.finished: dict[int, shards.Finished] = {}
        self.began = 0.0
        self.propagate_seconds = 0.0

    def prepare_iteration(self) -> None:
        """Snapshot west.h5, then prepare as WESTPA does, in a repeatable order."""
        self.began = time.perf_counter()
        if self.segments is None:
            loaded = self.data_manager.get_segments()
        else:
            loaded = self.segments.values()
        self.segments = ordered.order_by_seg_id(loaded)
        self.data_manager.flush_backing()
        snapshot(self.folder)
        self.rng = Generator(MT19937(self._seed("recycle")))
        super().prepare_iteration()  # type: ignore[misc]

    def propagate(self) -> None:
        """Propagate every incomplete segment in blocks; bin them all at the end."""
        began = time.perf_counter()
        blocks = self._blocks()
        self.finished = {}
        pending: dict[Future[Any], Block] = {}
        for block in blocks:
            if block.out.exists():
                self._take(block)
            else:
                pending[self.dispatch.submit(block)] = block
        errors: list[BaseException] = []
        for future in as_completed(pending):
            error = future.exception()
            if error is None:
                self._take(pending[future])
            else:
                errors.append(error)
        if errors:
            log.error("%d of %d blocks failed", len(errors), len(blocks))
            raise errors[0]
        for seg_id, segment in self.segments.items():
            complete_segment(segment, self.finished[seg_id])
        self.completed_segments = dict(self.segments)
        self.incomplete_segments = {}
        self.propagate_seconds = time.perf_counter() - began
        self.we_driver.assign(list(self.segments.values()))
        self.get_istate_futures()
        self.data_manager.update_segments(self.n_iter, list(self.segments.values()))
        self.save_bin_data()

    def run_we(self) -> None:
        """Resample with a seed of this iteration; check that no weight is lost."""
        ordered.restart_order()
        self.we_driver.rng = Generator(MT19937(self._seed("resample")))
        super().run_we()  # type: ignore[misc]
        total = float(np.sum([s.weight for s in self.we_driver.next_iter_segments]))
        if abs(total - 1.0) > 1e-10:
            raise WeightError(
                f"After resampling iteration {self.n_iter} the weights sum to "
                f"{total!r}, not 1 within 1e-10. Report this with {self.folder}."
            )

    def finalize_iteration(self) -> None:
        """Write the iteration's record, tell the listeners, hand over to WESTPA."""
        record = self._record()
        journal.write_record(self.folder / "journal", record)
        self.dispatch.on_iteration(record)
        super().finalize_iteration()  # type: ignore[misc]

    def _seed(self, purpose: str) -> int:
        return derive_seed(self.seed, purpose, int(self.n_iter))

    def _take(self, block: Block) -> None:
        for finished in shards.finished_in(block.out):
            self.finished[finished.seg_id] = finished
        self.dispatch.on_block(int(self.n_iter), len(self.finished), len(self.segments))

    def _blocks(self) -> list[Block]:
        """Divide the whole iteration: what is on disk must keep its company."""
        n_iter = int(self.n_iter)
        parents: dict[int, journal.SegmentRecord] = {}
        if n_iter > 1:
            record = journal.read_record(self.folder / "journal", n_iter - 1)
            parents = {s.seg_id: s for s in record.segments}
        segments = list(self.segments.values())
        size = self.dispatch.block_size(len(segments))
        blocks = []
        for first in range(0, len(segments), size):
            chosen = segments[first : first + size]
            blocks.append(
                Block(
                    n_iter,
                    [s.seg_id for s in chosen],
                    [s.parent_id for s in chosen],
                    [self._origin(s, parents) for s in chosen],
                    shards.shard_path(
                        self.folder / "shards", n_iter, chosen[0].seg_id
                    ),
                )
            )
        return blocks

    def _origin(
        self, segment: Any, parents: dict[int, journal.SegmentRecord]
    ) -> shards.Origin:
        if segment.parent_id >= 0:
            parent = parents[segment.parent_id]
            return shards.Origin(parent.shard, parent.row)
        istate = self.current_iter_istates[segment.initial_state_id]
        bstates = {b.state_id: b for b in self.current_iter_bstates}
        return shards.Origin(None, int(bstates[istate.basis_state_id].auxref))

    def _record(self) -> journal.IterationRecord:
        segments = list(self.segments.values())
        weights = np.array([s.weight for s in segments])
        ends = np.array([s.pcoord for s in segments])
        occupied = sum(len(walkers) > 0 for walkers in self.we_driver.final_binning)
        rows = [
            journal.SegmentRecord(
                s.seg_id, s.parent_id, s.weight,
                self.finished[s.seg_id].shard, self.finished[s.seg_id].row,
            )
            for s in segments
        ]
        summary = {
            "n_segments": len(segments),
            "n_bins_occupied": occupied,
            "weight_min": float(weights.min()),
            "weight_max": float(weights.max()),
            "ess": float(weights.sum() ** 2 / (weights**2).sum()),
            "pcoord_min": [float(x) for x in ends.min(axis=(0, 1))],
            "pcoord_max": [float(x) for x in ends.max(axis=(0, 1))],
            "wall_s": time.perf_counter() - self.began,
            "propagate_s": self.propagate_seconds,
        }
        written = dict.fromkeys(row.shard for row in rows)
        hashes = {shard: hash_file(Path(shard)) for shard in written}
        return journal.IterationRecord(int(self.n_iter), rows, hashes, summary)


class WeftWESimManager(WeftManager, WESimManager):  # type: ignore[misc]
    """Fixed bins."""


class WeftMABSimManager(WeftManager, MABSimManager):  # type: ignore[misc]
    """Adaptive bins."""


def snapshot(folder: Path) -> None:
    """Keep a copy of west.h5 as it stands between two iterations."""
    temporary = folder / ".west.h5.snapshot.tmp"
    shutil.copyfile(folder / "west.h5", temporary)
    temporary.replace(folder / "west.h5.snapshot")


def block_sizer(
    size: int | str, n_workers: int, per_worker: int
) -> Callable[[int], int]:
    """Return the rule that gives a block's size for a number of segments."""

    def choose(n_segments: int) -> int:
        if isinstance(size, int):
            return size
        return max(1, -(-n_segments // (n_workers * per_worker)))

    return choose


