"""Refuse frames that a user brings where they do not fit each other, or physics."""

from pathlib import Path
from typing import Any, Final

import numpy as np

from apps.science.arrays import Array, IntArray
from apps.science.cg.dataset.brought_frames import read_topology, read_weights
from apps.science.cg.dataset.force_check import (
    LEAST_SPREAD_ANGSTROM,
    check_response,
)
from apps.science.cg.dataset.frame_checks import (
    check_bond_lengths,
    check_finite,
    check_whole,
)
from apps.science.cg.dataset.own_frames_config import OwnFramesConfig
from apps.science.cg.internal_coordinates import measure_distances
from apps.science.cg.mapping.bead_topology import check_same_residues, read_psf
from apps.science.cg.mapping.config import MappingConfig
from apps.science.cg.mapping.mapping import Mapping, build_mapping
from apps.science.errors import ConfigError, DataError, ShapeMismatchError
from apps.science.units import count_whole

_N_PROBED: Final = 50_000_000
"""Numbers of an array looked at before anything is queued: a second or two."""
_N_FOR_BONDS: Final = 500
_N_FOR_FORCES: Final = 20_000
"""Frames that tell whether forces belong to them."""


def check_own_frames(
    config: OwnFramesConfig,
    mapping: MappingConfig | None = None,
    n_looked_at: int | None = _N_PROBED,
) -> Mapping:
    """Refuse files that are not there, or do not fit each other; return the beads.

    Parameters
    ----------
    n_looked_at : numbers of each array that are looked at, evenly taken; None: all

    Raises
    ------
    DataError
        If a file is missing or is no array, if numbers are not finite (the first frame
        is named), if a molecule is broken across the periodic box, or if the forces do
        not belong to the positions.
    ShapeMismatchError
        If positions and forces differ in shape.
    StructureError
        If the native structure has other residues than a PSF topology; they are named.
    """
    for path in (
        config.topology, config.structure, config.positions, config.forces,
        config.weights,
    ):  # fmt: skip
        if path is not None and not path.is_file():
            raise DataError(f"{path} does not exist. Check its path in campaign.yaml.")
    positions, forces = load_array(config.positions), load_array(config.forces)
    if positions.shape != forces.shape:
        raise ShapeMismatchError(
            f"{config.positions.name} has shape {positions.shape}, "
            f"{config.forces.name} {forces.shape}; expected the same of both."
        )
    weight = None
    if config.weights is not None:
        weight = read_weights(config.weights, len(positions))
    beads = _find_beads(config, mapping or MappingConfig(), positions.shape[1])
    if config.holds_beads and config.structure is not None:
        check_same_residues(beads, config.structure, config.topology.name)
    rows = _choose_rows(positions, n_looked_at)
    for path, array in ((config.positions, positions), (config.forces, forces)):
        check_finite(array, rows, path.name)
    _check_physics(config, beads, positions, forces, weight)
    return beads


def check_length(config: OwnFramesConfig, lag_ps: float) -> None:
    """Refuse frames that do not reach over the lag of their slow coordinates.

    Raises
    ------
    ConfigError
        If so, or the lag is no whole number of frames.
    """
    n_frames, interval_ps = len(load_array(config.positions)), config.frame_interval_ps
    n_lag = count_whole(lag_ps, interval_ps)
    if n_lag is None:
        raise ConfigError(
            f"tica.lag_ps {lag_ps:g} is no whole number of frames of {interval_ps:g} "
            "ps (system.frame_interval_ps). Make it a multiple."
        )
    if n_lag >= n_frames:
        raise ConfigError(
            f"{config.positions.name} holds {n_frames} frames of {interval_ps:g} ps, "
            f"no more than the {n_lag} of tica.lag_ps {lag_ps:g}. Make the lag "
            "shorter, or bring more frames."
        )


def _check_physics(
    config: OwnFramesConfig, beads: Mapping, positions: Any, forces: Any,
    weight: Array | None,
) -> None:  # fmt: skip
    """Look at some thousand frames: whole molecules, and forces that are theirs."""
    n = len(positions)
    rows = np.arange(0, n, max(1, n // _N_FOR_FORCES))
    bead_positions = beads.map_positions(config.length_scale * positions[rows])
    if beads.bonds:
        lengths = measure_distances(bead_positions, beads.bonds)
        check_bond_lengths(lengths, beads)
        check_whole(lengths, beads, rows, config.positions.name)
    check_response(
        bead_positions,
        beads.map_forces(config.force_scale * forces[rows]),
        beads,
        config.temperature_kelvin,
        None if weight is None or weight[rows].sum() <= 0 else weight[rows],
        None if config.holds_beads else _are_constrained(config, positions),
    )


def _are_constrained(config: OwnFramesConfig, positions: Any) -> bool | None:
    """Say whether bonds between heavy atoms are rigid; None where there are none."""
    bonds = [
        (a.index, b.index)
        for a, b in read_topology(config.topology).bonds
        if not any(one.element and one.element.symbol == "H" for one in (a, b))
    ]
    if not bonds:
        return None
    rows = np.arange(0, len(positions), max(1, len(positions) // _N_FOR_BONDS))
    lengths = measure_distances(config.length_scale * positions[rows], bonds)
    return float(np.median(lengths.std(axis=0))) < LEAST_SPREAD_ANGSTROM


def _choose_rows(positions: Any, n_looked_at: int | None) -> IntArray:
    """Return the frames to look at, so that no more numbers are read than asked."""
    step = 1
    if n_looked_at is not None:
        step = max(1, positions.size // n_looked_at)
    return np.arange(0, len(positions), step)


def load_array(path: Path) -> Any:
    """Return an array on disk, (n_frames, n_atoms, 3), not read yet.

    Raises
    ------
    DataError
        If it is no .npy of real numbers.
    ShapeMismatchError
        If it has another shape, or no frames.
    """
    try:
        found = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise DataError(
            f"{path} cannot be read as .npy ({error}). If it was cut short, write or "
            "copy it again."
        ) from None
    if not isinstance(found, np.ndarray):
        raise DataError(f"{path} holds several arrays; give one, as .npy.")
    if found.dtype.kind not in "fiu":
        raise DataError(
            f"{path.name} holds {found.dtype}, no real numbers. Write them as float32."
        )
    if found.ndim != 3 or found.shape[2] != 3 or not len(found):
        raise ShapeMismatchError(
            f"{path.name} has shape {found.shape}; expected (n_frames, n_atoms, 3)."
        )
    return found


def _check_atoms(config: OwnFramesConfig, n_named: int, n_atoms: int) -> None:
    if n_named != n_atoms:
        raise ShapeMismatchError(
            f"{config.topology.name} has {n_named} atoms, {config.positions.name} "
            f"{n_atoms} a frame. Give the topology of the atoms that the frames hold."
        )


def _find_beads(
    config: OwnFramesConfig, mapping: MappingConfig, n_atoms: int
) -> Mapping:
    """Return the beads of the topology; those of a PSF file are mapped onto themselves.

    Raises
    ------
    ConfigError
        If a PSF file is given and beads that it does not hold are asked for.
    DataError
        If the topology cannot be read.
    ShapeMismatchError
        If it has other atoms than the frames.
    """
    if config.holds_beads:
        if mapping.beads not in (None, "calpha"):
            raise ConfigError(
                f"{config.topology.name} names C-alpha beads, but mapping.beads asks "
                "for others. Leave mapping.beads out, or give a PDB file of atoms."
            )
        beads = read_psf(config.topology)
        _check_atoms(config, beads.n_atoms, n_atoms)
        return beads
    topology = read_topology(config.topology)
    _check_atoms(config, topology.n_atoms, n_atoms)
    masses = [a.element.mass if a.element else 0.0 for a in topology.atoms]
    rules = mapping.beads if mapping.beads is not None else config.beads
    return build_mapping(
        config.topology, _Atoms(masses), rules, mapping.force_map, mapping.residues
    )


class _Atoms:
    """What a mapping needs of the atoms; nobody knows of constraints."""

    def __init__(self, masses_amu: list[float]) -> None:
        self.masses_amu = masses_amu
        self.constraints: list[tuple[int, int]] = []
