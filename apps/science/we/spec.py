"""propagation.json: all a worker needs to advance a segment of this run.

Paths nearby are kept relative to the file, so that a run folder can be moved.
"""

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from apps.science import files, plugins
from apps.science.errors import DataError
from apps.science.pcoords.base import ProgressCoordinate
from apps.science.propagators.base import Propagator, States

_MOST_UP = 4
"""From proteins/<protein>/benchmark/<model>/ to the run folder."""

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
        body = _map_texts(vars(self), lambda text: _shorten(text, path.parent))
        return files.write_json(path, body)

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
    return _parse(path.read_text(encoding="utf-8"), path.parent)


def _parse(content: str, folder: Path) -> PropagationSpec:
    body = json.loads(content)
    return PropagationSpec(**_map_texts(body, lambda text: _lengthen(text, folder)))


def _map_texts(value: Any, change: Callable[[str], str]) -> Any:
    if isinstance(value, dict):
        return {key: _map_texts(inner, change) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_map_texts(inner, change) for inner in value]
    return change(value) if isinstance(value, str) else value


def _shorten(text: str, folder: Path) -> str:
    """Return an absolute path nearby as seen from ``folder``, ./ or ../ in front."""
    if not Path(text).is_absolute():
        return text
    seen = os.path.relpath(text, folder)
    if seen.count("..") > _MOST_UP:
        return text
    return seen if seen.startswith("..") else f"./{seen}"


def _lengthen(text: str, folder: Path) -> str:
    """Return a path as it is absolute now.

    Earlier versions wrote it absolute: where it is no longer there, the run was moved,
    and what lies at the same place of it is taken.
    """
    if text.startswith(("./", "../")):
        return os.path.normpath(folder / text)
    path = Path(text)
    if path.is_absolute() and not path.exists():
        for up in folder.absolute().parents[:_MOST_UP]:
            for k in range(1, len(path.parts)):
                moved = up.joinpath(*path.parts[k:])
                if moved.exists():
                    return str(moved)
    return text


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
    spec = _parse(content, Path(path).parent)
    return spec, *spec.build()


def warm_engine(
    path: Path,
) -> tuple[PropagationSpec, Propagator, ProgressCoordinate]:
    """Return the engine of ``path``, built once per process and kept warm."""
    return _warm(str(path), path.read_text(encoding="utf-8"))
