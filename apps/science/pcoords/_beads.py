"""From what a propagator records to beads, and structures read from files."""

from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import numpy as np

from apps.science.arrays import Array
from apps.science.errors import ConfigError, DataError, ShapeMismatchError
from apps.science.pcoords.base import Recorded

_ATOMS_MORE: Final = 4
"""Protonation may differ from what is counted."""


@lru_cache(maxsize=8)
def _load_mapping(path: str) -> Any:
    from apps.science.cg.mapping.mapping import read_mapping

    return read_mapping(Path(path))


def to_beads(positions: Array, mapping: str | None) -> Array:
    """Return bead positions, (n_frames, n_beads, 3), Angstrom.

    Recorded atoms are mapped; positions that already are the mapping's beads, and
    any positions where ``mapping`` is None, are returned as they are.

    Raises
    ------
    ShapeMismatchError
        If the positions are neither the mapping's atoms nor its beads.
    """
    if mapping is None:
        return positions
    found = _load_mapping(mapping)
    n_points = positions.shape[1]
    if n_points == found.n_beads:
        return positions
    if n_points != found.n_atoms:
        raise ShapeMismatchError(
            f"Frames hold {n_points} points but {mapping} maps {found.n_atoms} atoms "
            f"to {found.n_beads} beads. Use the mapping of this system."
        )
    mapped: Array = found.map_positions(positions)
    return mapped


def check_points(
    points: Iterable[int], setting: str, are_beads: bool, recorded: Recorded
) -> None:
    """Refuse indices beyond what frames will hold.

    Raises
    ------
    ConfigError
        If so. Atoms are known to a few in a hundred, beads exactly.
    """
    n, what = recorded.n_atoms, "atoms"
    most = n + max(_ATOMS_MORE, n // 20)
    if are_beads:
        n, what, most = recorded.n_beads, "beads", recorded.n_beads
    beyond = sorted({k for k in points if not 0 <= k < most})
    if beyond:
        about = "" if are_beads else "about "
        raise ConfigError(
            f"{setting} names point {beyond[0]}, but frames will hold {about}{n} "
            f"{what}, counted from 0. Correct it, or say what is counted (mapping: "
            "run counts beads)."
        )


def read_structure(path: Path) -> Array:
    """Return (n_points, 3), Angstrom, of a .pdb (first model) or .npy file.

    Raises
    ------
    DataError
        If the file is missing or holds no such array.
    """
    if not path.is_file():
        raise DataError(f"{path} does not exist. Give a .pdb or .npy file.")
    if path.suffix == ".npy":
        points: Array = np.load(path)
    else:
        lines = path.read_text(encoding="utf-8").split("ENDMDL")[0].splitlines()
        rows = [ln for ln in lines if ln.startswith(("ATOM  ", "HETATM"))]
        points = np.array([[float(r[k : k + 8]) for k in (30, 38, 46)] for r in rows])
    if points.ndim != 2 or points.shape[1:] != (3,):
        raise DataError(
            f"{path} holds an array of shape {points.shape}; expected (n_points, 3)."
        )
    return points
