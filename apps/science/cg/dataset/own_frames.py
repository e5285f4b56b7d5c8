"""Frames with forces that a user brings, as what a campaign would have sampled.

Arrays (n_frames, n_atoms, 3) of positions and forces and a PDB file of the same atoms,
or the PSF file of a C-alpha model where they are of beads already, become segments.h5,
the bead mapping, and a reference of the same frames, so that a model can be learnt from
them and judged by them.
"""

import logging
from pathlib import Path
from typing import Any, Final, Literal, Self

import numpy as np
from pydantic import Field, ValidationInfo, field_validator, model_validator

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
from apps.science.cg.internal_coordinates import measure_distances
from apps.science.cg.mapping.bead_topology import (
    check_same_residues,
    name_atoms,
    read_native_beads,
    read_psf,
)
from apps.science.cg.mapping.config import MappingConfig
from apps.science.cg.mapping.mapping import Mapping, build_mapping
from apps.science.config_base import StrictConfig
from apps.science.errors import ConfigError, DataError, ShapeMismatchError
from apps.science.files import atomic_path
from apps.science.hdf5 import atomic_hdf5
from apps.science.input_files import find_file
from apps.science.pcoords._features import FeatureKind
from apps.science.segments.frames import WeightedFrames
from apps.science.segments.store import DTYPES, PER_FRAME, lay_out
from apps.science.systems.info import PROTEIN_PDB
from apps.science.units import ANGSTROM_PER_NM, FORCE_OPENMM_TO_KCAL, count_whole

log = logging.getLogger(__name__)

LengthUnit = Literal["angstrom", "nanometer"]
ForceUnit = Literal["kcal/mol/angstrom", "kJ/mol/nm"]
_N_PER_BATCH = 10_000
_N_PROBED: Final = 50_000_000
"""Numbers of an array looked at before anything is queued: a second or two."""
_N_FOR_BONDS: Final = 500
_N_FOR_FORCES: Final = 20_000
"""Frames that tell whether forces belong to them."""

NATIVE: Final = "native.npy"
"""In the system folder: C-alphas of the native structure, (n_beads, 3), Angstrom."""


class OwnFramesConfig(StrictConfig):
    """The files, and what their numbers mean."""

    topology: Path = Field(
        description="PDB file with the atoms that the frames hold, or the PSF file of "
        "the C-alpha model whose beads they hold."
    )
    structure: Path | None = Field(
        None,
        description="PDB file of the native structure, beside a PSF topology: it has "
        "to have the same residues.",
    )
    positions: Path = Field(description=".npy, (n_frames, n_atoms, 3).")
    forces: Path = Field(description=".npy of the same shape.")
    weights: Path | None = Field(
        None, description=".npy, .npz or text, one a frame; default: all alike."
    )
    length_unit: LengthUnit = Field("angstrom", description="Of the positions.")
    force_unit: ForceUnit = Field("kcal/mol/angstrom", description="Of the forces.")
    frame_interval_ps: float = Field(
        1.0, gt=0, le=1e9, description="Between frames."
    )
    lineage_block_ps: float = Field(
        100.0,
        gt=0,
        le=1e9,
        description="Blocks that are split and resampled as a whole.",
    )
    temperature_kelvin: float = Field(
        300.0, gt=0, le=1000, description="Of the simulation."
    )
    beads: Literal["calpha", "backbone", "backbone_cb"] = Field(
        "calpha", description="Beads, where mapping.beads names none."
    )

    @field_validator("topology", "structure", "positions", "forces", "weights")
    @classmethod
    def _from_the_file(cls, value: Path | None, info: ValidationInfo) -> Path | None:
        return None if value is None else find_file(value, info)

    @property
    def holds_beads(self) -> bool:
        """Whether the frames are of the beads of a PSF file."""
        return self.topology.suffix.lower() == ".psf"

    @model_validator(mode="after")
    def _psf_is_of_calphas(self) -> Self:
        if self.holds_beads and self.beads != "calpha":
            raise ValueError(
                f"system.topology is a PSF file of C-alpha beads, but system.beads is "
                f"{self.beads}. Leave system.beads out, or give a PDB file of atoms."
            )
        if self.structure is not None and not self.holds_beads:
            raise ValueError(
                "system.structure is for a PSF topology, which has no coordinates; "
                f"{self.topology.name} is none. Leave system.structure out."
            )
        return self


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
    positions, forces = _load(config.positions), _load(config.forces)
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
    n_frames, interval_ps = len(_load(config.positions)), config.frame_interval_ps
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
    bead_positions = beads.map_positions(_length_scale(config) * positions[rows])
    if beads.bonds:
        lengths = measure_distances(bead_positions, beads.bonds)
        check_bond_lengths(lengths, beads)
        check_whole(lengths, beads, rows, config.positions.name)
    check_response(
        bead_positions,
        beads.map_forces(_force_scale(config) * forces[rows]),
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
    lengths = measure_distances(_length_scale(config) * positions[rows], bonds)
    return float(np.median(lengths.std(axis=0))) < LEAST_SPREAD_ANGSTROM


def _choose_rows(positions: Any, n_looked_at: int | None) -> IntArray:
    """Return the frames to look at, so that no more numbers are read than asked."""
    step = 1
    if n_looked_at is not None:
        step = max(1, positions.size // n_looked_at)
    return np.arange(0, len(positions), step)


def import_frames(
    config: OwnFramesConfig, mapping: MappingConfig, system: Path, out: Path,
    segments: Path, reference: Path,
) -> Path:  # fmt: skip
    """Write ``out`` (mapping.json), segments.h5, and the reference's frames.

    Parameters
    ----------
    system : folder that gets protein.pdb, and native.npy where a structure is given

    Raises
    ------
    ShapeMismatchError
        If the topology has other atoms than the frames.
    """
    beads = check_own_frames(config, mapping, None)
    positions = _load(config.positions)
    _write_structure(config, beads, positions[:1], system)
    beads.write(out)
    n = len(positions)
    given = np.ones(n) if config.weights is None else read_weights(config.weights, n)
    weight = given / given.sum()
    n_per_block = max(1, round(config.lineage_block_ps / config.frame_interval_ps))
    block = np.arange(n) // n_per_block
    _write_store(config, segments, weight, block)
    scale = _length_scale(config)
    found = []
    for k in range(0, n, _N_PER_BATCH):
        batch = beads.map_positions(scale * np.asarray(positions[k : k + _N_PER_BATCH]))
        if beads.bonds:
            lengths = measure_distances(batch, beads.bonds)
            rows = k + np.arange(len(batch))
            check_whole(lengths, beads, rows, config.positions.name)
        found.append(batch)
    WeightedFrames(
        positions=np.concatenate(found).astype(np.float32),
        weight=weight,
        lineage=block,
        trajectory=np.zeros(n, dtype=int),
        time_ps=config.frame_interval_ps * np.arange(1, n + 1),
    ).write(reference)
    log.info("%d frames of %d atoms, %d beads", n, positions.shape[1], beads.n_beads)
    return segments


def fit_slow_coordinates(
    reference: Path, mapping: Path, lag_ps: float, features: FeatureKind, out: Path
) -> Path:
    """Fit the TICA model on the reference's one trajectory.

    Raises
    ------
    DataError
        If the beads are too few, or the trajectory is shorter than the lag.
    """
    from apps.science.benchmark.reference_set import fit_slow
    from apps.science.segments.frames import read_frames

    if fit_slow(read_frames(reference), lag_ps, features, out) is None:
        raise DataError(
            "Three beads or fewer have no slow coordinates. Choose more beads."
        )
    return out


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
    kind = "constraint_sum" if mapping.force_map == "optimal" else mapping.force_map
    return build_mapping(
        config.topology, _Atoms(masses), rules, kind, mapping.residues
    )


def _write_structure(
    config: OwnFramesConfig, beads: Mapping, first: Array, system: Path
) -> None:
    """Write protein.pdb, and native.npy where a structure is given beside a PSF file.

    Parameters
    ----------
    first : (1, n_atoms, 3), in the unit of the config
    """
    import mdtraj

    with atomic_path(system / PROTEIN_PDB) as temporary:
        if not config.holds_beads:
            temporary.write_bytes(config.topology.read_bytes())
        else:
            nm = _length_scale(config) * np.asarray(first) / ANGSTROM_PER_NM
            mdtraj.Trajectory(nm, name_atoms(beads)).save_pdb(str(temporary))
    if config.structure is not None:
        with atomic_path(system / NATIVE) as temporary, temporary.open("wb") as handle:
            np.save(handle, read_native_beads(config.structure))


class _Atoms:
    """What a mapping needs of the atoms; nobody knows of constraints."""

    def __init__(self, masses_amu: list[float]) -> None:
        self.masses_amu = masses_amu
        self.constraints: list[tuple[int, int]] = []


def _write_store(
    config: OwnFramesConfig, path: Path, weight: Array, block: IntArray
) -> None:
    """Write one iteration in which each frame is a segment of its block's lineage."""
    positions, forces = _load(config.positions), _load(config.forces)
    n, n_atoms, _ = positions.shape
    index = np.arange(n)
    columns = {
        "weight": weight, "n_iter": np.ones(n), "seg_id": index,
        "frame": np.zeros(n), "parent": np.full(n, -1), "root": block,
    }  # fmt: skip
    length, force = _length_scale(config), _force_scale(config)
    with atomic_hdf5(path) as h5:
        lay_out(h5, n_atoms)
        for name in PER_FRAME:
            h5[name].resize(n, axis=0)
            h5[name][:] = columns[name].astype(DTYPES.get(name, "i8"))
        for name, source, scale in (
            ("positions", positions, length), ("forces", forces, force),
        ):  # fmt: skip
            h5[name].resize(n, axis=0)
            for k in range(0, n, _N_PER_BATCH):
                rows = slice(k, min(n, k + _N_PER_BATCH))
                h5[name][rows] = scale * np.asarray(source[rows])
        h5.attrs["last_iter"] = 1


def _load(path: Path) -> Any:
    """Return an array on disk, not read yet."""
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


def _length_scale(config: OwnFramesConfig) -> float:
    return 1.0 if config.length_unit == "angstrom" else ANGSTROM_PER_NM


def _force_scale(config: OwnFramesConfig) -> float:
    if config.force_unit == "kcal/mol/angstrom":
        return 1.0
    return FORCE_OPENMM_TO_KCAL
