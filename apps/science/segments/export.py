"""Write a WE run's segments as one DCD or XTC trajectory with a row of weights a frame.

Frames and rows are ordered by (n_iter, seg_id, frame), and frame k of the trajectory
is row k of weights.csv. Nothing is held in memory but the segments of one shard.
"""

import csv
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from apps.science.arrays import Array
from apps.science.ascii_path import ascii_path
from apps.science.errors import ConfigError, DataError, ShapeMismatchError
from apps.science.files import atomic_path, atomic_path_checked
from apps.science.segments.closed import ClosedSegments, read_segments
from apps.science.segments.topology import write_pdb
from apps.science.units import ANGSTROM_PER_NM
from apps.science.we.storage import journal

TrajectoryFormat = Literal["dcd", "xtc"]
_XTC_STEP_NM = 0.001
Write = Callable[[Array, Array], None]
"""Appends frames (n_frames, n_atoms, 3), Angstrom, at times (n_frames,), ps."""


@dataclass(frozen=True)
class Exported:
    """What was written."""

    n_iterations: int
    n_segments: int
    n_frames: int
    files: list[Path]


def parse_range(text: str | None, last_closed: int) -> tuple[int, int]:
    """Return the first and last iteration of ``A:B``, both included.

    Either end may be left out; one number is that iteration alone; None is all.

    Raises
    ------
    ConfigError
        If it is no range, is empty, or goes beyond the closed iterations.
    """
    first_text, colon, last_text = (text or ":").partition(":")
    if not colon:
        last_text = first_text
    try:
        first = int(first_text) if first_text.strip() else 1
        last = int(last_text) if last_text.strip() else last_closed
    except ValueError:
        raise ConfigError(
            f"{text!r} is no range of iterations. Write 3:7 for 3 to 7 (both "
            "included), 3: or :7 for an open end, or 3."
        ) from None
    if last_closed < 1:
        raise ConfigError("No iteration of this run is closed yet. Export it later.")
    if first < 1 or last > last_closed or first > last:
        raise ConfigError(
            f"The iterations {first} to {last} cannot be exported: the run has closed "
            f"1 to {last_closed}. Choose a range within these."
        )
    return first, last


def export_trajectory(
    we_folder: Path,
    topology: Any,
    out: Path,
    kind: TrajectoryFormat,
    first: int,
    last: int,
    frame_ps: float,
) -> Exported:
    """Write segments.dcd (or .xtc), topology.pdb and weights.csv into ``out``.

    Parameters
    ----------
    topology : mdtraj Topology of the recorded atoms
    first, last : iterations, both included
    frame_ps : time between frames; the frame a segment starts from is not saved

    Raises
    ------
    ShapeMismatchError
        If the topology is of another system.
    DataError
        If shards are damaged, or XTC is to hold a frame that is not finite.
    """
    trajectory, weights = out / f"segments.{kind}", out / "weights.csv"
    pdb = out / "topology.pdb"
    n_segments = n_frames = 0
    with (
        open_trajectory(trajectory, kind) as write,
        atomic_path(weights) as temporary,
        temporary.open("w", newline="", encoding="utf-8") as handle,
    ):
        rows = csv.writer(handle, lineterminator="\n")
        for block in read_segments(we_folder, first, last):
            check_topology(topology, block)
            if n_frames == 0:
                write_pdb(pdb, topology, block.positions[0, 0])
                rows.writerow(_header(block))
            if kind == "xtc" and not np.isfinite(block.positions).all():
                raise DataError(
                    f"Iteration {block.n_iter} has frames that are not finite (a "
                    "walker ran away), which XTC cannot hold. Use --format dcd, or "
                    "other iterations."
                )
            frames = block.positions.reshape(-1, *block.positions.shape[2:])
            write(frames, frame_times(block, frame_ps))
            rows.writerows(_rows(block))
            n_segments += len(block.seg_ids)
            n_frames += len(frames)
    n_iterations = last - first + 1
    return Exported(n_iterations, n_segments, n_frames, [trajectory, pdb, weights])


def last_exportable(we_folder: Path) -> int:
    """Return the newest closed iteration, 0 where none is."""
    return journal.last_closed(we_folder / "journal")


def check_topology(topology: Any, block: ClosedSegments) -> None:
    """Check that a topology fits the frames."""
    if topology.n_atoms != block.positions.shape[2]:
        raise ShapeMismatchError(
            f"The topology has {topology.n_atoms} atoms but the segments of iteration "
            f"{block.n_iter} have {block.positions.shape[2]}. Use the topology of the "
            "system they were made with."
        )


def frame_times(block: ClosedSegments, frame_ps: float) -> Array:
    """Return when each frame was saved since the run began, (n_frames,), ps."""
    n_segments, n_frames = block.positions.shape[:2]
    times = ((block.n_iter - 1) * n_frames + np.arange(1, n_frames + 1)) * frame_ps
    return np.tile(times, n_segments)


@contextmanager
def open_trajectory(path: Path, kind: TrajectoryFormat) -> Iterator[Write]:
    """Open a trajectory that appears at ``path`` when it is complete.

    Its frames are read back and their centres compared: the C code that writes them
    does not tell of every write that failed.
    """
    from mdtraj.formats import DCDTrajectoryFile, XTCTrajectoryFile

    centres: list[Array] = []
    dcd = kind == "dcd"
    open_ = DCDTrajectoryFile if dcd else XTCTrajectoryFile

    def is_right(temporary: Path) -> bool:
        with ascii_path(temporary) as plain, open_(str(plain), "r") as found:
            for expected in centres:
                frames = found.read(len(expected))[0]
                if len(frames) != len(expected) or not np.allclose(
                    find_centres(frames), expected,
                    rtol=0, atol=0 if dcd else _XTC_STEP_NM, equal_nan=True,
                ):  # fmt: skip
                    return False
            return len(found.read()[0]) == 0

    with (
        atomic_path_checked(path, is_right) as temporary,
        ascii_path(temporary) as plain,
        open_(str(plain), "w") as handle,
    ):

        def write(frames: Array, times: Array) -> None:
            if dcd:
                held = np.asarray(frames, dtype=np.float32)
                handle.write(held)
            else:
                held = np.asarray(frames / ANGSTROM_PER_NM, dtype=np.float32)
                handle.write(held, time=np.asarray(times, dtype=np.float32))
            centres.append(find_centres(held))

        yield write


def find_centres(frames: Array) -> Array:
    """Return the mean position of each frame, (n_frames, 3)."""
    centres: Array = np.asarray(frames, dtype=float).mean(axis=1)
    return centres


def _header(block: ClosedSegments) -> list[str]:
    pcoords = [f"pcoord_{k}" for k in range(block.pcoord.shape[2])]
    return ["n_iter", "seg_id", "frame", "parent_id", "weight", *pcoords]


def _rows(block: ClosedSegments) -> Iterator[list[Any]]:
    each = zip(
        block.seg_ids.tolist(), block.parent_ids.tolist(), block.weights.tolist(),
        block.pcoord.tolist(), strict=True,
    )  # fmt: skip
    for seg_id, parent_id, weight, visited in each:
        for frame, pcoord in enumerate(visited):
            yield [block.n_iter, seg_id, frame, parent_id, repr(weight), *pcoord]
