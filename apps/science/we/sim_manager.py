"""WESTPA's simulation managers with weft's dispatch, seeds and journal.

Only what happens between "these segments are incomplete" and "all are complete" is
replaced: blocks go out through ``BlockRunner``, shards that a killed run left behind
are taken as finished, and walkers are binned together, in seg_id order, once all are
in.
"""

import logging
import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.random import MT19937, Generator
from westpa.core.binning.mab_manager import MABSimManager
from westpa.core.sim_manager import WESimManager

from apps.science.errors import DataError, WeightError
from apps.science.seeds import derive_seed
from apps.science.we import ordered
from apps.science.we.dispatch import Block, BlockRunner, Dispatch
from apps.science.we.storage import journal, shards
from apps.science.we.storage.iteration_summary import summarise, summarise_work
from apps.science.we.storage.snapshots import Snapshots
from apps.science.we.westpa_propagator import complete_segment

log = logging.getLogger(__name__)


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

    def set_up(
        self, folder: Path, seed: int, dispatch: Dispatch, snapshots: Snapshots
    ) -> None:
        """Give the manager its run folder, seed and dispatch."""
        self.folder, self.seed, self.dispatch = folder, seed, dispatch
        self.snapshots = snapshots
        self.blocks: list[shards.FinishedBlock] = []
        self.previous: journal.IterationRecord | None = None
        self.began = 0.0
        self.work: dict[str, Any] = {}

    def prepare_iteration(self) -> None:
        """Snapshot west.h5, then prepare as WESTPA does, in a repeatable order."""
        self.began = time.perf_counter()
        if self.segments is None:
            loaded = self.data_manager.get_segments()
        else:
            loaded = self.segments.values()
        self.segments = ordered.order_by_seg_id(loaded)
        self.data_manager.flush_backing()
        self.snapshots.take()
        self.rng = Generator(MT19937(self._seed("recycle")))
        super().prepare_iteration()  # type: ignore[misc]

    def propagate(self) -> None:
        """Propagate every incomplete segment in blocks; bin them all at the end."""
        began = time.perf_counter()
        n_iter, n_segments = int(self.n_iter), len(self.segments)
        before = journal.find_record(self.folder / "journal", n_iter)
        digests = before.digest_by_shard if before else None
        self.blocks = list(
            shards.find_finished(self.folder / "shards", n_iter, self.seed, digests)
        )
        n_restored = len(self.blocks)
        n_done = sum(len(block.seg_ids) for block in self.blocks)
        runner = BlockRunner(self.dispatch)
        for finished in runner.run(self._divide(before)):
            self.blocks.append(finished)
            n_done += len(finished.seg_ids)
            self.dispatch.on_block(n_iter, n_done, n_segments)
        self._complete()
        seconds = time.perf_counter() - began
        self.work = summarise_work(
            self.blocks, n_restored, seconds, self.dispatch.n_slots
        ) | {"propagate_s": seconds, "n_blocks_rerun": runner.n_rerun}
        self.we_driver.assign(list(self.segments.values()))
        self.get_istate_futures()
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
        self.data_manager.flush_backing()
        record, records = self._record(), self.folder / "journal"
        before = journal.find_record(records, record.n_iter)
        if before is not None:  # replayed after a stop
            check_replay(record, before, journal.record_path(records, record.n_iter))
        if before is not None and before.digest_by_shard == record.digest_by_shard:
            record = before
        else:
            journal.write_record(records, record)
        self.previous = record
        self.dispatch.on_iteration(record)
        super().finalize_iteration()  # type: ignore[misc]

    def _seed(self, purpose: str) -> int:
        return derive_seed(self.seed, purpose, int(self.n_iter))

    def _divide(self, before: journal.IterationRecord | None) -> list[Block]:
        """Divide what is left into blocks, each of neighbouring seg_ids.

        Blocks do not span what is finished, so that those left after a kill are the
        blocks they would have been; those of an iteration that was closed ``before``
        are the blocks they were.
        """
        blocks_of = before.shard_by_segment if before else {}
        n_iter = int(self.n_iter)
        done = {seg_id for block in self.blocks for seg_id in block.seg_ids}
        size = self.dispatch.block_size(len(self.segments))
        runs: list[list[Any]] = []
        for seg_id, segment in self.segments.items():
            if seg_id in done:
                runs.append([])
                continue
            last = runs[-1][-1] if runs and runs[-1] else None
            if seg_id in blocks_of:
                same = last and blocks_of.get(last.seg_id) == blocks_of[seg_id]
            else:
                same = last and len(runs[-1]) < size
            if not same:
                runs.append([])
            runs[-1].append(segment)
        origin = self._origins(n_iter)
        return [
            Block(
                n_iter,
                [s.seg_id for s in chosen],
                [s.parent_id for s in chosen],
                [origin(s) for s in chosen],
                shards.shard_path(self.folder / "shards", n_iter, chosen[0].seg_id),
            )
            for chosen in runs
            if chosen
        ]

    def _origins(self, n_iter: int) -> Any:
        """Return the function that tells where a segment starts."""
        rows = {b.state_id: int(b.auxref) for b in self.current_iter_bstates}
        parents = None
        if n_iter > 1:
            if self.previous is None or self.previous.n_iter != n_iter - 1:
                self.previous = journal.read_record(self.folder / "journal", n_iter - 1)
            parents = self.previous

        def origin(segment: Any) -> shards.Origin:
            if segment.parent_id >= 0 and parents is not None:
                shard, row = parents.places[segment.parent_id]
                return shards.Origin(parents.shards[shard], row)
            istate = self.current_iter_istates[segment.initial_state_id]
            return shards.Origin(None, rows[istate.basis_state_id])

        return origin

    def _complete(self) -> None:
        """Fill in what the blocks brought."""
        for block in self.blocks:
            each = block.seconds / len(block.seg_ids)
            for row, seg_id in enumerate(block.seg_ids):
                complete_segment(self.segments[seg_id], block.pcoord[row], each)
        self.completed_segments = dict(self.segments)
        self.incomplete_segments = {}

    def _record(self) -> journal.IterationRecord:
        segments = list(self.segments.values())
        places = {
            seg_id: (shard, row)
            for shard, block in enumerate(self.blocks)
            for row, seg_id in enumerate(block.seg_ids)
        }
        weights = [float(s.weight) for s in segments]
        flux = {str(t.label): 0.0 for t in self.we_driver.target_states.values()}
        names = {t.state_id: t.label for t in self.we_driver.target_states.values()}
        for entry in self.we_driver.new_weights or []:
            flux[str(names[entry.target_state_id])] += float(entry.weight)
        summary = {
            **summarise(np.array(weights), np.array([s.pcoord for s in segments])),
            "n_bins_occupied": sum(
                len(walkers) > 0 for walkers in self.we_driver.final_binning
            ),
            "flux": flux,
            **self.work,
            "wall_s": time.perf_counter() - self.began,
        }
        return journal.IterationRecord(
            int(self.n_iter),
            self.seed,
            [int(s.seg_id) for s in segments],
            [int(s.parent_id) for s in segments],
            weights,
            [places[s.seg_id] for s in segments],
            [block.path for block in self.blocks],
            [block.digest for block in self.blocks],
            summary,
        )


def check_replay(
    record: journal.IterationRecord, before: journal.IterationRecord, path: Path
) -> None:
    """Require that a replayed iteration is the one that was recorded.

    Raises
    ------
    DataError
        If the walkers differ, or a shard that was made again does.
    """
    advice = (
        "Were packages changed since (environment.json names them), or is this another "
        "kind of processor? Resume as it was run, or restore the run folder from a "
        "copy. To go on from the iteration before it, move the records of the journal "
        f"from {path.name} on and their shards out of the run folder."
    )
    if not record.same_ensemble(before):
        raise DataError(
            f"Replaying iteration {record.n_iter} gave other walkers than {path} "
            f"holds. {advice}"
        )
    now, then = record.digest_by_shard, before.digest_by_shard
    for shard in sorted(now.keys() & then.keys()):
        if now[shard] != then[shard]:
            raise DataError(
                f"The shard {shard} was made again and came out otherwise: its data "
                f"have the sha256 {now[shard][:12]}, but {then[shard][:12]} was "
                f"recorded. {advice}"
            )


class WeftWESimManager(WeftManager, WESimManager):  # type: ignore[misc]
    """Fixed bins."""


class WeftMABSimManager(WeftManager, MABSimManager):  # type: ignore[misc]
    """Adaptive bins."""
