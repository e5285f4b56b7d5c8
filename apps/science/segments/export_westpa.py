"""Write a WE run's frames as WESTPA's own HDF5 framework does, for its analysis tools.

``traj_segs/iter_000001.h5`` and so on hold the frames of an iteration, iteration 0 the
basis states, and a copy of west.h5 links to them; the run's own west.h5 is untouched.
"""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
from westpa.core.segment import Segment

from apps.science.arrays import Array
from apps.science.errors import ConfigError, DataError
from apps.science.files import atomic_path_checked
from apps.science.hdf5 import DAMAGES, atomic_hdf5
from apps.science.segments.closed import ClosedSegments, read_segments
from apps.science.segments.export import Exported, check_topology
from apps.science.units import ANGSTROM_PER_NM
from apps.science.we.storage.snapshots import find_damage

FOLDER = "traj_segs"
_N_PER_READ = 4096


def export_westpa(
    we_folder: Path,
    topology: Any,
    out: Path,
    first: int,
    last: int,
    frame_ps: float,
    starts: Array,
) -> Exported:
    """Write traj_segs/iter_*.h5 and west.h5 into ``out``.

    Parameters
    ----------
    topology : mdtraj Topology of the recorded atoms
    first, last : iterations, both included
    frame_ps : time between frames
    starts : (n_starts, n_atoms, 3), Angstrom; the basis states in their order

    Raises
    ------
    ConfigError
        If west.h5 has not come as far as ``last``, or ``out`` is the run itself.
    DataError
        If shards or west.h5 are damaged.
    """
    if (out / "west.h5").resolve() == (we_folder / "west.h5").resolve():
        raise ConfigError(f"{out} holds the run itself. Export to another folder.")
    source = _choose_west_h5(we_folder, last)
    files = [_write_starts(out / FOLDER, topology, starts)]
    n_segments = n_frames = 0
    segments = read_segments(we_folder, first, last)
    for n_iter, blocks in groupby(segments, key=lambda block: block.n_iter):
        path = out / FOLDER / f"iter_{n_iter:06d}.h5"
        with open_iteration(path) as handle:
            for block in blocks:
                check_topology(topology, block)
                handle.append(topology, block, frame_ps)
                n_segments += len(block.seg_ids)
                n_frames += block.positions.shape[0] * block.positions.shape[1]
        files.append(path)
    files.append(_link(source, out / "west.h5", [0, *range(first, last + 1)]))
    return Exported(last - first + 1, n_segments, n_frames, files)


@contextmanager
def open_iteration(path: Path) -> Iterator["_IterationFile"]:
    """Open an iteration file that appears at ``path`` when it is complete."""
    from westpa.core.h5io import WESTIterationFile

    written = _IterationFile()
    with (
        atomic_path_checked(path, written.is_right) as temporary,
        WESTIterationFile(str(temporary), "a") as handle,
    ):
        written.handle = handle
        yield written


class _IterationFile:
    """What WESTPA writes an iteration's frames with, and the digest of these."""

    def __init__(self) -> None:
        self.handle: Any = None
        self._digest = hashlib.sha256()

    def append(self, topology: Any, block: ClosedSegments, ps: float) -> None:
        """Append the segments of one shard as WESTPA's ``write_segment`` does."""
        from westpa.core.trajectory import WESTTrajectory

        n_segments, n_frames = block.positions.shape[:2]
        frames = block.positions.reshape(-1, topology.n_atoms, 3) / ANGSTROM_PER_NM
        segment = Segment(n_iter=block.n_iter, seg_id=int(block.seg_ids[0]))
        segment.data["iterh5/trajectory"] = WESTTrajectory(
            frames,
            topology=topology,
            time=np.tile(np.arange(n_frames) * ps, n_segments),
            iter_labels=block.n_iter,
            seg_labels=np.repeat(block.seg_ids, n_frames),
        )
        self.handle.write_segment(segment)
        self._digest.update(np.ascontiguousarray(frames, dtype="f4").data)

    def is_right(self, path: Path) -> bool:
        """Tell whether a file holds the frames that were appended."""
        import h5py

        found = hashlib.sha256()
        try:
            with h5py.File(path, "r", locking=False) as h5:
                frames = h5["coordinates"]
                for first in range(0, len(frames), _N_PER_READ):
                    rows = frames[first : first + _N_PER_READ]
                    found.update(np.ascontiguousarray(rows, dtype="f4").data)
        except DAMAGES:
            return False
        return found.digest() == self._digest.digest()


def _write_starts(folder: Path, topology: Any, starts: Array) -> Path:
    """Write the basis states as iteration 0; a basis state is a segment there."""
    path = folder / "iter_000000.h5"
    n_starts = len(starts)
    block = ClosedSegments(
        0, np.arange(n_starts), np.full(n_starts, -1), np.ones(n_starts),
        np.asarray(starts, dtype=np.float32)[:, None], np.zeros((n_starts, 1, 1)),
    )  # fmt: skip
    check_topology(topology, block)
    with open_iteration(path) as handle:
        handle.append(topology, block, 0.0)
    return path


def _choose_west_h5(we_folder: Path, last: int) -> Path:
    """Return the west.h5 to copy: the snapshot, for a run may write the other."""
    import h5py

    snapshot, live = we_folder / "west.h5.snapshot", we_folder / "west.h5"
    path = snapshot if snapshot.exists() else live
    damage = find_damage(path)
    if damage:
        raise DataError(
            f"{path} cannot be copied ({damage}). Resume the run, which restores it, "
            "or export DCD or XTC, which do not need it."
        )
    with h5py.File(path, "r", locking=False) as h5:
        current = int(h5.attrs["west_current_iteration"])
        status = h5[f"iterations/iter_{current:08d}/seg_index"]["status"]
    closed = current if (status == Segment.SEG_STATUS_COMPLETE).all() else current - 1
    if closed < last:
        raise ConfigError(
            f"west.h5 can be copied up to iteration {closed} as yet, but {last} is "
            f"asked for. Choose iterations up to {closed}, or wait for the run to end."
        )
    return path


def _link(source: Path, west_h5: Path, iterations: list[int]) -> Path:
    """Copy west.h5 and link the frames of ``iterations`` into it."""
    import h5py

    with atomic_hdf5(west_h5, begin_from=source) as h5:
        for n_iter in iterations:
            group = h5.require_group(f"iterations/iter_{n_iter:08d}")
            group["trajectories"] = h5py.ExternalLink(
                f"{FOLDER}/iter_{n_iter:06d}.h5", "/"
            )
    return west_h5
