"""propagation.json: all a worker needs to advance a segment of this run."""

import json
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from apps.science import files, plugins
from apps.science.errors import DataError
from apps.science.pcoords.base import ProgressCoordinate
from apps.science.propagators.base import Propagator, States

PROPAGATORS = "apps.science.propagators"
PCOORDS = "apps.science.pcoords"


@dataclass(frozen=True)
class PropagationSpec:
    """Propagator, progress coordinate, starting states and seed of a WE run.

    ``keep_failed`` is for judging a model: a walker that runs away stays where its
    segment began, its frames are NaN, and the run goes on; that it happened is the
    result. Elsewhere a walker that fails twice stops the run.
    """

    seed: int
    propagator: dict[str, Any]
    pcoord: dict[str, Any]
    starts: str
    keep_failed: bool = False
    n_reseeds: int = 1

    @property
    def n_frames(self) -> int:
        """Frames saved per segment."""
        return int(self.propagator["n_steps"] // self.propagator["n_steps_per_frame"])

    @property
    def blocks_per_worker(self) -> int:
        """Blocks a worker should get per iteration, by the propagator's kind."""
        engine = plugins.load_kind(PROPAGATORS, self.propagator["kind"])
        return int(engine.Config.blocks_per_worker)

    def write(self, path: Path) -> Path:
        """Write the spec as JSON."""
        return files.write_json(path, vars(self))

    def build(self) -> tuple[Propagator, ProgressCoordinate]:
        """Make the propagator and the progress coordinate it names."""
        engine = plugins.load_kind(PROPAGATORS, self.propagator["kind"])
        propagator = engine.Propagator(engine.Config(**self.propagator))
        return propagator, self.build_pcoord()

    def build_pcoord(self) -> ProgressCoordinate:
        """Make the progress coordinate alone."""
        kind = plugins.load_kind(PCOORDS, self.pcoord["kind"])
        pcoord: ProgressCoordinate = kind.ProgressCoordinate(kind.Config(**self.pcoord))
        return pcoord

    def start_states(self) -> States:
        """Return the starting states, one row per basis state; kept once read."""
        path = Path(self.starts)
        if not path.exists():
            return read_starts(path)
        return _warm_starts(path, path.stat().st_mtime_ns)


def read_spec(path: Path) -> PropagationSpec:
    """Read a spec written by ``PropagationSpec.write``."""
    return PropagationSpec(**json.loads(path.read_text(encoding="utf-8")))


def read_starts(path: Path) -> States:
    """Read starts.npz: positions, velocities (n_starts, n_particles, 3), maybe box."""
    if not path.exists():
        raise DataError(f"{path} does not exist. Run the prepare stage first.")
    with np.load(path) as npz:
        box = npz["box"] if "box" in npz.files else None
        return States(npz["positions"], npz["velocities"], box)


@lru_cache(maxsize=2)
def _warm_starts(path: Path, _mtime_ns: int) -> States:
    return read_starts(path)


@lru_cache(maxsize=2)
def _warm(
    path: str, content: str
) -> tuple[PropagationSpec, Propagator, ProgressCoordinate]:
    spec = PropagationSpec(**json.loads(content))
    return spec, *spec.build()


def warm_engine(
    path: Path,
) -> tuple[PropagationSpec, Propagator, ProgressCoordinate]:
    """Return the engine of ``path``, built once per process and kept warm."""
    return _warm(str(path), path.read_text(encoding="utf-8"))
