"""Frames with forces that a user brings, as what a campaign would have sampled.

Arrays (n_frames, n_atoms, 3) of positions and forces and a PDB file of the same atoms,
or the PSF file of a C-alpha model where they are of beads already, become segments.h5,
the bead mapping, and a reference of the same frames, so that a model can be learnt from
them and judged by them.
"""

import logging
from pathlib import Path
from typing import Final

import numpy as np

from apps.science.arrays import Array, IntArray
from apps.science.cg.dataset.brought_frames import read_weights
from apps.science.cg.dataset.frame_checks import check_whole
from apps.science.cg.dataset.own_frames_check import check_own_frames, load_array
from apps.science.cg.dataset.own_frames_config import OwnFramesConfig
from apps.science.cg.internal_coordinates import measure_distances
from apps.science.cg.mapping.bead_topology import name_atoms, read_native_beads
from apps.science.cg.mapping.config import MappingConfig
from apps.science.cg.mapping.mapping import Mapping
from apps.science.errors import DataError
from apps.science.files import atomic_path
from apps.science.hdf5 import atomic_hdf5
from apps.science.pcoords._features import FeatureKind
from apps.science.segments.frames import WeightedFrames
from apps.science.segments.store import DTYPES, PER_FRAME, lay_out
from apps.science.systems.info import PROTEIN_PDB
from apps.science.units import ANGSTROM_PER_NM

log = logging.getLogger(__name__)

_N_PER_BATCH = 10_000

NATIVE: Final = "native.npy"
"""In the system folder: C-alphas of the native structure, (n_beads, 3), Angstrom."""


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
    positions = load_array(config.positions)
    _write_structure(config, beads, positions[:1], system)
    beads.write(out)
    n = len(positions)
    given = np.ones(n) if config.weights is None else read_weights(config.weights, n)
    weight = given / given.sum()
    n_per_block = max(1, round(config.lineage_block_ps / config.frame_interval_ps))
    block = np.arange(n) // n_per_block
    _write_store(config, segments, weight, block)
    scale = config.length_scale
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
            nm = config.length_scale * np.asarray(first) / ANGSTROM_PER_NM
            mdtraj.Trajectory(nm, name_atoms(beads)).save_pdb(str(temporary))
    if config.structure is not None:
        with atomic_path(system / NATIVE) as temporary, temporary.open("wb") as handle:
            np.save(handle, read_native_beads(config.structure))


def _write_store(
    config: OwnFramesConfig, path: Path, weight: Array, block: IntArray
) -> None:
    """Write one iteration in which each frame is a segment of its block's lineage."""
    positions, forces = load_array(config.positions), load_array(config.forces)
    n, n_atoms, _ = positions.shape
    index = np.arange(n)
    columns = {
        "weight": weight, "n_iter": np.ones(n), "seg_id": index,
        "frame": np.zeros(n), "parent": np.full(n, -1), "root": block,
    }  # fmt: skip
    length, force = config.length_scale, config.force_scale
    with atomic_hdf5(path) as h5:
        lay_out(h5, n_atoms)
        for name in PER_FRAME:
            h5[name].resize(n, axis=0)
            h5[name][:] = columns[name].astype(DTYPES.get(name, "i8"))
        for name, source, scale in (
            ("positions", positions, length),
            ("forces", forces, force),
        ):
            h5[name].resize(n, axis=0)
            for k in range(0, n, _N_PER_BATCH):
                rows = slice(k, min(n, k + _N_PER_BATCH))
                h5[name][rows] = scale * np.asarray(source[rows])
        h5.attrs["last_iter"] = 1
