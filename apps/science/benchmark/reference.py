"""Plain MD walks in restartable chunks, and the weighted frames made of them."""

import hashlib
import logging
import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from apps.science.arrays import Array
from apps.science.errors import ConfigError, DataError, NumericalError
from apps.science.files import atomic_path, make_folder, write_json
from apps.science.hdf5 import atomic_hdf5, open_checked
from apps.science.pcoords._features import FeatureKind
from apps.science.propagators.base import States
from apps.science.seeds import derive_seed
from apps.science.segments.frames import WeightedFrames
from apps.science.stopping import begin_only_if_it_ends
from apps.science.systems.info import SYSTEM_XML, read_starts, read_system_info
from apps.science.units import FS_PER_PS, count_whole

logger = logging.getLogger(__name__)

SCHEMA = "weft-walk-1"
_MIN_CHUNK_PS = 10.0
_MAX_CHUNKS = 200


@dataclass(frozen=True)
class _Plan:
    """How one walk is cut: all but the last chunk have ``n_per_chunk`` frames."""

    n_frames: int
    n_per_chunk: int
    n_steps_per_frame: int

    @property
    def n_chunks(self) -> int:
        return -(-self.n_frames // self.n_per_chunk)

    def frames_of(self, chunk: int) -> int:
        return min(self.n_per_chunk, self.n_frames - chunk * self.n_per_chunk)


def run_walk(
    system_dir: Path,
    start: int | str,
    walk_index: int,
    n_ps: float,
    frame_interval_ps: float,
    seed: int,
    out: Path,
    platform: str = "auto",
    progress: Path | None = None,
    n_walks: int = 1,
) -> Path:
    """Run plain MD to ``out`` (HDF5); a killed walk continues at its last chunk.

    Chunk k draws from the seed of (seed, "reference", walk, k) and its end is kept
    beside ``out``, so an interrupted walk gives the same bits as one that was not.

    Parameters
    ----------
    start : name of a start, or its index; walks past the last begin again at the first
    n_ps, frame_interval_ps : length, and time between frames; whole multiples
    progress : where given, a JSON file that says how much of ``n_walks`` is done

    Raises
    ------
    ConfigError
        If the times are no whole multiples, or the start does not exist.
    BlockEndsError
        If this batch job ends before the next chunk would; another goes on.
    NumericalError
        If a chunk ran away twice, the second time with other noise.
    """
    from apps.science.propagators.openmm import Config, Propagator

    info = read_system_info(system_dir)
    plan = _plan(n_ps, frame_interval_ps, info.timestep_fs)
    row = _find_start(info.start_names, start)
    text = (system_dir / SYSTEM_XML).read_bytes()
    settings = f"{info.prepared_from}:{row}:{walk_index}:{plan}:{seed}:".encode()
    identity = hashlib.sha256(settings + text).hexdigest()
    if _is_written(out, identity):
        return out
    folder = out.with_name(f".{out.name}.{identity[:12]}.chunks")
    make_folder(folder)
    engine = Propagator(
        Config(
            system_dir=str(system_dir.absolute()),
            timestep_fs=info.timestep_fs,
            temperature_kelvin=info.temperature_kelvin,
            friction_per_ps=info.friction_per_ps,
            n_steps=plan.n_steps_per_frame,
            n_steps_per_frame=plan.n_steps_per_frame,
            platform=platform,
        )
    )
    starts = read_starts(system_dir)
    state = States(starts.positions, starts.velocities, starts.box).take([row])
    paths = [folder / f"chunk_{k:05d}.npz" for k in range(plan.n_chunks)]
    slowest_s = 0.0
    for k, path in enumerate(paths):
        if path.exists():
            state = _read_state(path)
            continue
        begin_only_if_it_ends(
            slowest_s, f"Chunk {k} of walk {walk_index}", divisible=False
        )
        began = time.monotonic()
        state = _run_chunk(engine, state, plan, k, walk_index, seed, path)
        slowest_s = max(slowest_s, time.monotonic() - began)
        if progress is not None:
            _report(progress, out, n_walks, plan)
    _merge(paths, plan, frame_interval_ps, identity, walk_index, out)
    shutil.rmtree(folder)
    if progress is not None:
        _report(progress, out, n_walks, plan)
    return out


def _plan(n_ps: float, frame_interval_ps: float, timestep_fs: float) -> _Plan:
    n_frames = _whole(n_ps, frame_interval_ps, "walk length", "frame intervals")
    n_steps = _whole(
        frame_interval_ps, timestep_fs / FS_PER_PS, "frame interval", "time steps"
    )
    chunk_ps = max(_MIN_CHUNK_PS, n_ps / _MAX_CHUNKS)
    return _Plan(n_frames, max(1, round(chunk_ps / frame_interval_ps)), n_steps)


def _whole(length_ps: float, unit_ps: float, what: str, of: str) -> int:
    count = count_whole(length_ps, unit_ps)
    if count is None:
        raise ConfigError(
            f"The {what} of {length_ps:g} ps is no whole number of {of} of "
            f"{unit_ps:g} ps. Choose a multiple."
        )
    return count


def _find_start(names: list[str], start: int | str) -> int:
    if isinstance(start, int):
        return start % len(names)
    if start not in names:
        raise ConfigError(
            f"No start is named {start!r}: the system has {', '.join(names)}."
        )
    return names.index(start)


def _is_written(out: Path, identity: str) -> bool:
    if not out.exists():
        return False
    with h5py.File(out, "r", locking=False) as h5:
        return bool(h5.attrs.get("identity") == identity)


def _run_chunk(
    engine: Any, state: States, plan: _Plan, k: int, walk: int, seed: int, path: Path
) -> States:
    per_frame = plan.n_steps_per_frame
    n_steps = plan.frames_of(k) * per_frame
    number = derive_seed(seed, "reference", walk, k)
    frames = engine.advance(state, [number], n_steps, per_frame)
    if frames.failed[0]:
        logger.warning("walk %d: chunk %d failed, tried again", walk, k)
        number = derive_seed(seed, "reference", walk, k, 1)
        frames = engine.advance(state, [number], n_steps, per_frame)
    if frames.failed[0]:
        raise NumericalError(
            f"Walk {walk} ran away in chunk {k}, twice with different noise. Use a "
            "smaller timestep_fs or a longer equilibration_ps."
        )
    final: States = frames.final
    arrays = {"recorded": frames.positions[0], **_state_arrays(final)}
    with atomic_path(path) as temporary, temporary.open("wb") as handle:
        np.savez(handle, allow_pickle=False, **arrays)
    return final


def _state_arrays(state: States) -> dict[str, Array]:
    arrays = {"positions": state.positions, "velocities": state.velocities}
    return arrays if state.box is None else {**arrays, "box": state.box}


def _read_state(path: Path) -> States:
    with np.load(path) as arrays:
        return States(arrays["positions"], arrays["velocities"], arrays.get("box"))


def _merge(
    paths: list[Path],
    plan: _Plan,
    frame_interval_ps: float,
    identity: str,
    walk_index: int,
    out: Path,
) -> None:
    recorded = []
    for path in paths:
        with np.load(path) as arrays:
            recorded.append(arrays["recorded"])
    with atomic_hdf5(out) as h5:
        h5.attrs["schema"] = SCHEMA
        h5.attrs["identity"] = identity
        h5.attrs["walk"] = walk_index
        h5.attrs["frame_interval_ps"] = frame_interval_ps
        h5.create_dataset("positions", data=np.concatenate(recorded))
        time_ps = frame_interval_ps * np.arange(1, plan.n_frames + 1)
        h5.create_dataset("time_ps", data=time_ps)
        for name, value in _state_arrays(_read_state(paths[-1])).items():
            h5.create_dataset(f"final_{name}", data=value[0])


def _report(progress: Path, out: Path, n_walks: int, plan: _Plan) -> None:
    """Write the share of all walks beside ``out`` that is done, in chunks."""
    finished = len(list(out.parent.glob("walk_*.h5")))
    running = len(list(out.parent.glob(".walk_*.chunks/chunk_*.npz")))
    total = n_walks * plan.n_chunks
    done = min(total, finished * plan.n_chunks + running)
    write_json(progress, {"done": done, "total": total, "unit": "chunks"})


@dataclass(frozen=True)
class Walk:
    """One plain MD trajectory.

    Attributes
    ----------
    positions : (n_frames, n_recorded, 3), Angstrom, float32
    time_ps : (n_frames,)
    index : number of the walk
    frame_interval_ps : time between frames
    """

    positions: Array
    time_ps: Array
    index: int
    frame_interval_ps: float


def read_walk(path: Path) -> Walk:
    """Read a walk written by ``run_walk``.

    Raises
    ------
    DataError
        If the file is missing or of another schema.
    """
    with open_checked(path, SCHEMA, "Run the reference stage (again).") as h5:
        return Walk(
            h5["positions"][:],
            h5["time_ps"][:],
            int(h5.attrs["walk"]),
            float(h5.attrs["frame_interval_ps"]),
        )


def collect_reference(
    walk_paths: Sequence[Path],
    mapping_path: Path,
    out_frames: Path,
    lineage_block_ps: float,
) -> Path:
    """Map walks to beads and write them as WeightedFrames, all of weight one.

    A lineage is a block of ``lineage_block_ps`` within one walk, numbered uniquely
    across the walks; blocks are what a bootstrap resamples.
    """
    from apps.science.cg.mapping.mapping import read_mapping

    mapping = read_mapping(mapping_path)
    beads, lineages, trajectories, times = [], [], [], []
    n_lineages = 0
    for path in walk_paths:
        walk = read_walk(path)
        beads.append(mapping.map_positions(walk.positions).astype(np.float32))
        frame = np.arange(len(walk.time_ps))
        n_per_block = max(1, round(lineage_block_ps / walk.frame_interval_ps))
        lineages.append(n_lineages + frame // n_per_block)
        n_lineages = int(lineages[-1][-1]) + 1
        trajectories.append(np.full(len(frame), walk.index))
        times.append(walk.time_ps)
    lineage = np.concatenate(lineages)
    frames = WeightedFrames(
        positions=np.concatenate(beads),
        weight=np.ones(len(lineage)),
        lineage=lineage,
        trajectory=np.concatenate(trajectories),
        time_ps=np.concatenate(times),
    )
    return frames.write(out_frames)


def fit_tica_on_walks(
    walk_paths: Sequence[Path],
    mapping_path: Path,
    lag_ps: float,
    features: FeatureKind,
    out: Path,
    n_dim: int = 2,
) -> Path:
    """Fit TICA on the walks' beads and write the model to ``out``.

    ``n_dim`` components are needed; two more are kept to look at.
    """
    from apps.science.cg.mapping.mapping import read_mapping
    from apps.science.pcoords.tica import N_TO_LOOK_AT, fit_tica

    mapping = read_mapping(mapping_path)
    walks = [read_walk(path) for path in walk_paths]
    intervals = {walk.frame_interval_ps for walk in walks}
    if len(intervals) != 1:
        raise DataError(
            f"The walks have frame intervals of {sorted(intervals)} ps; expected one. "
            "Run them again with the same settings."
        )
    beads = [mapping.map_positions(walk.positions) for walk in walks]
    fit_tica(
        beads, intervals.pop(), lag_ps, features, n_dim, out=out, n_more=N_TO_LOOK_AT
    )
    return out
