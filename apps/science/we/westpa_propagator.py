"""The propagator that west.cfg names, so that stock WESTPA tools can load the run.

weft itself dispatches blocks through its simulation manager and asks this class
only for the progress coordinates of basis states.
"""

import os
from pathlib import Path
from typing import Any

import numpy as np
from westpa.core.propagators import WESTPropagator
from westpa.core.segment import Segment

from apps.science.arrays import Array
from apps.science.we.block import compute_start_pcoords, propagate_block
from apps.science.we.storage.shards import Origin, read_block, shard_path

_start_pcoords: list[list[float]] = []


def use_start_pcoords(values: list[list[float]]) -> None:
    """Hand over the starting states' progress coordinates, computed elsewhere."""
    _start_pcoords[:] = values


class WeftPropagator(WESTPropagator):  # type: ignore[misc]
    """WESTPA's view of a weft run folder; works serially under stock ``w_run``."""

    def __init__(self, rc: Any = None) -> None:
        super().__init__(rc)
        self.folder = Path(os.environ["WEST_SIM_ROOT"])

    @property
    def spec_path(self) -> Path:
        """The propagation spec of this run."""
        return self.folder / "propagation.json"

    def get_pcoord(self, state: Any) -> None:
        """Fill in the progress coordinate of a basis or initial state."""
        values = _start_pcoords or compute_start_pcoords(self.spec_path)
        basis = getattr(state, "basis_state", None) or state
        state.pcoord = np.asarray(values[int(basis.auxref)])

    def propagate(self, segments: list[Segment]) -> list[Segment]:
        """Advance each segment by itself, as stock ``w_run`` asks for."""
        shards = self.folder / "shards"
        for segment in segments:
            if segment.parent_id < 0:
                state = self.initial_states[segment.initial_state_id]
                basis = self.basis_states[state.basis_state_id]
                origin = Origin(None, int(basis.auxref))
            else:
                origin = self._find(segment.n_iter - 1, segment.parent_id)
            out = shard_path(shards, segment.n_iter, segment.seg_id)
            done = propagate_block(
                self.spec_path,
                segment.n_iter,
                [segment.seg_id],
                [segment.parent_id],
                [origin],
                out,
            )
            complete_segment(segment, done.pcoord[0], done.seconds)
        return segments

    def _find(self, n_iter: int, seg_id: int) -> Origin:
        folder = self.folder / "shards" / f"{n_iter:06d}"
        for path in sorted(folder.glob("seg_*.h5"), reverse=True):
            if int(path.stem.split("_")[1]) <= seg_id:
                return Origin(str(path), read_block(path).seg_ids.index(seg_id))
        raise FileNotFoundError(f"no shard in {folder} holds segment {seg_id}")


def complete_segment(segment: Segment, pcoord: Array, seconds: float) -> None:
    """Mark a segment complete; ``pcoord`` (n_frames, n_dim) is what it visited."""
    segment.pcoord[1:] = pcoord
    segment.status = Segment.SEG_STATUS_COMPLETE
    segment.walltime = segment.cputime = seconds
