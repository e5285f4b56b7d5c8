"""A trained model's files, and structures to start it from outside a campaign."""

from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np

from apps.science.arrays import Array
from apps.science.cg.mapping.mapping import Mapping
from apps.science.cg.prior.tables import PriorTables, list_types, look_up
from apps.science.errors import ConfigError, DataError, ShapeMismatchError
from apps.science.propagators.base import States
from apps.science.units import ANGSTROM_PER_NM, thermal_speed


def find_checkpoint(model: Path) -> Path:
    """Return the checkpoint of ``model``: a .pt file, or a folder that holds one.

    Raises
    ------
    ConfigError
        If there is none.
    """
    tried = [model, model / "best.pt", model / "checkpoints" / "best.pt"]
    for path in tried:
        if path.is_file():
            return path
    raise ConfigError(
        f"{model} is no model: neither a checkpoint nor a folder with best.pt or "
        "checkpoints/best.pt. Give runs/<name>/models/<model>."
    )


def find_starts(
    model: Path,
    mapping: Mapping,
    tables: PriorTables,
    structure: Path | None,
    protein: str | None = None,
) -> Array:
    """Return starting positions (n_starts, n_beads, 3), Angstrom.

    From ``structure`` (beads in any form mdtraj reads, or a starts.npz); else from the
    benchmark of the run the model lies in (of ``protein``, where it has several); else
    one extended chain.

    Raises
    ------
    ShapeMismatchError
        If the structure has other beads than the model.
    """
    if structure is None:
        names = "benchmark/*/starts.npz"
        for folder in model.absolute().parents:
            own = sorted(folder.glob(f"proteins/{protein}/{names}")) if protein else []
            for name in own or sorted(folder.glob(names)):
                found = _read(name, mapping)
                if found.shape[1] == mapping.n_beads:
                    return found
        return extend_chain(mapping, tables)[None]
    found = _read(structure, mapping)
    if found.shape[1] != mapping.n_beads:
        raise ShapeMismatchError(
            f"{structure} has {found.shape[1]} particles; the model has "
            f"{mapping.n_beads} beads. Give a structure of these beads alone."
        )
    return found


def warm_up(
    positions: Array, mapping: Mapping, temperature_kelvin: float, n: int, seed: int
) -> States:
    """Return ``n`` states that take the positions in turn, with thermal velocities."""
    chosen = positions[np.arange(n) % len(positions)].astype(float)
    speeds = [thermal_speed(temperature_kelvin, m) for m in mapping.masses_amu]
    noise = np.random.default_rng(seed).normal(size=chosen.shape)
    return States(chosen, noise * np.array(speeds)[:, None])


def extend_chain(mapping: Mapping, tables: PriorTables) -> Array:
    """Return an extended zigzag (n_beads, 3) with the prior's bond lengths.

    Chains stand side by side, 20 Angstrom apart.
    """
    positions = np.zeros((mapping.n_beads, 3))
    to_bead = {int(j): int(i) for i, j in mapping.bonds}
    n_chains = turn = 0
    for bead in range(mapping.n_beads):
        if bead not in to_bead:
            positions[bead] = [0.0, 20.0 * n_chains, 0.0]
            n_chains += 1
            continue
        types = list_types(mapping, (to_bead[bead], bead))
        _, length = look_up(tables.bonds, types, "bond") if tables.bonds else (0.0, 3.8)
        turn += 1
        tilt = np.radians(30.0) * (1 if turn % 2 else -1)
        step = length * np.array([np.cos(tilt), np.sin(tilt), 0.1 * (turn % 3 - 1)])
        positions[bead] = positions[to_bead[bead]] + step
    return positions


def _read(path: Path, mapping: Mapping) -> Array:
    if not path.exists():
        raise DataError(f"{path} does not exist. Give a structure of the beads.")
    if path.suffix == ".npz":
        try:
            with np.load(path, allow_pickle=False) as npz:
                return np.asarray(npz["positions"], dtype=float)
        except (OSError, ValueError, KeyError, BadZipFile) as error:
            raise DataError(
                f"{path} holds no starts ({error}). Give a starts.npz of weft's, with "
                "an array `positions`, or a structure of the beads."
            ) from None
    import mdtraj

    from apps.science.ascii_path import ascii_path
    from apps.science.cg.dataset.brought_frames import KNOWS_ATOMS, ask_mdtraj
    from apps.science.segments.topology import make_beads

    # a trajectory alone does not say what its particles are
    named: dict[str, Any] = {"standard_names": False}
    if path.suffix.lower() not in KNOWS_ATOMS:
        named = {"top": make_beads(mapping)}
    with ascii_path(path) as plain:
        traj = ask_mdtraj(mdtraj.load, plain, path, "structure", **named)
    return np.asarray(traj.xyz, dtype=float) * ANGSTROM_PER_NM
