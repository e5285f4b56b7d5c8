"""The structures to draw: courses of the reference and of each model, on one ghost."""

import logging
from dataclasses import dataclass

import numpy as np

from apps.science.arrays import Array
from apps.science.errors import WeftError
from apps.science.segments.frames import WeightedFrames
from campaign.report.parts.judged import structures
from campaign.report.parts.learnt_source import LearntSource

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class StructureSets:
    """Courses, all superposed on one structure.

    Attributes
    ----------
    traces : of the reference, then of each model, evenly over time
    ghost : name and beads (n_beads, 3), Angstrom, of what they are superposed on
    residues : (n_beads,), number of each bead's residue
    """

    traces: dict[str, list[structures.Trace]]
    ghost: tuple[str, Array]
    residues: list[int]

    def thin(self, n_times: int) -> dict[str, list[structures.Trace]]:
        """Return every course at up to ``n_times`` even times."""
        chosen = {}
        for name, found in self.traces.items():
            rows = np.linspace(0, len(found) - 1, min(n_times, len(found)))
            chosen[name] = [found[k] for k in np.rint(rows).astype(int)]
        return chosen


def gather_structures(
    source: LearntSource,
    reference: WeightedFrames,
    models: dict[str, WeightedFrames],
    n_times: int,
) -> StructureSets:
    """Read the course of the reference and of each model at ``n_times`` times."""
    rows = structures.pick_frames(reference, n_times)
    native = read_native_beads(source)
    if native is None or native.shape != reference.positions.shape[1:]:
        first = np.asarray(reference.positions[rows[0]], dtype=float)
        ghost = ("the first reference frame", first)
    else:
        ghost = ("the native structure", native)
    courses = {"reference": (reference.positions[rows], reference.time_ps[rows])}
    for model, frames in models.items():
        courses[model] = model_course(source, model, frames, n_times)
    traces = {
        name: structures.make_traces(positions, time_ps, ghost[1])
        for name, (positions, time_ps) in courses.items()
    }
    n_beads = reference.positions.shape[1]
    resids = source.mapping.get("resids") or []
    residues = list(resids) if len(resids) == n_beads else list(range(n_beads))
    return StructureSets(traces, ghost, residues)


def model_course(
    source: LearntSource, model: str, frames: WeightedFrames, n_times: int
) -> tuple[Array, Array]:
    """Return structures over time of a model: one walker's where its run is at hand."""
    segments = source.paths.benchmark(model) / "segments.h5"
    lengths = source.config.get("benchmark")
    if segments.exists() and isinstance(lengths, dict):
        segment, frame = (
            lengths.get(k) for k in ("segment_length_fs", "frame_interval_fs")
        )
        if isinstance(segment, int | float) and isinstance(frame, int | float):
            return structures.follow_walker(
                segments, segment / 1000, frame / 1000, n_times
            )
    rows = structures.pick_frames(frames, n_times)
    return frames.positions[rows], frames.time_ps[rows]


def read_native_beads(source: LearntSource) -> Array | None:
    """Return the native structure as beads (n_beads, 3), Angstrom; None without one.

    As in the benchmark: a protein that was built from its sequence alone has none.
    """
    system = source.asked_system
    path = source.paths.system / "protein.pdb"
    if not system or system.get("sequence") is not None:
        return None
    if not path.exists() or not source.paths.mapping.exists():
        return None
    from apps.science.benchmark.judge import read_native
    from apps.science.cg.mapping.mapping import read_mapping

    try:
        return read_native(path, read_mapping(source.paths.mapping))
    except (WeftError, OSError, ValueError, KeyError) as error:
        log.warning("report: the native structure cannot be read: %s", error)
        return None
