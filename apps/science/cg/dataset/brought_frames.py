"""Trajectories from elsewhere, with weights, as bead frames of a known protein.

Anything that mdtraj reads: DCD, XTC, TRR, NetCDF, HDF5, PDB ... A weight belongs to
one frame by its place: the first weight to the first frame of the first trajectory.
"""

import logging
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, Final
from zipfile import BadZipFile

import numpy as np

from apps.science.arrays import Array, IntArray
from apps.science.ascii_path import ascii_path
from apps.science.cg.dataset.cut_files import check_not_cut
from apps.science.cg.mapping.bead_topology import (
    is_calpha_psf,
    name_atoms,
    read_psf,
)
from apps.science.cg.mapping.beads import name_residue
from apps.science.cg.mapping.mapping import Mapping
from apps.science.errors import DataError, ShapeMismatchError, WeightError
from apps.science.segments.frames import WeightedFrames
from apps.science.units import ANGSTROM_PER_NM

log = logging.getLogger(__name__)

KNOWS_ATOMS = {".pdb", ".pdbx", ".cif", ".gro", ".h5", ".hdf5", ".lh5", ".mol2"}
"""Formats that say what their atoms are."""

_N_NAMED = 8
_TORN_NM: Final = 0.8
"""Longer than any bond, and than the 3.8 Angstrom between C-alphas twice over."""


@dataclass(frozen=True)
class Brought:
    """One trajectory as it was found.

    Attributes
    ----------
    positions : (n_frames, n_atoms, 3), Angstrom, float32
    time_ps : (n_frames,)
    topology : mdtraj's
    """

    positions: Array
    time_ps: Array
    topology: Any


def load_trajectory(
    path: Path, topology: Path | None = None, interval_ps: float | None = None
) -> Brought:
    """Read a trajectory.

    Parameters
    ----------
    topology : a structure with the same atoms, or the PSF file of a C-alpha model;
        needed where ``path`` does not name its atoms
    interval_ps : time between frames; needed where ``path`` does not hold times

    Raises
    ------
    DataError
        If the file is missing, cannot be read, or lacks a topology.
    """
    import mdtraj

    for one in (path, topology):
        if one is not None and not one.is_file():
            raise DataError(f"{one} does not exist. Check its path.")
    own = path.suffix.lower() in KNOWS_ATOMS
    readable = mdtraj.formats.registry.FormatRegistry.loaders
    if not own and path.suffix.lower() not in readable:
        raise DataError(
            f"{path} is no trajectory: files that end in {path.suffix or 'nothing'!r} "
            "are of no format that mdtraj reads. Give a DCD, XTC, TRR, NetCDF, HDF5 or "
            "PDB file."
        )
    if not own and topology is None:
        raise DataError(
            f"{path} does not say what its atoms are. Give a structure of the same "
            "atoms with --topology, such as a PDB file."
        )
    check_not_cut(path)
    named = {} if own or topology is None else {"top": _name(topology)}
    with ascii_path(path) as plain:
        found = ask_mdtraj(mdtraj.load, plain, path, "trajectory", **named)
    if not len(found):
        raise DataError(f"{path} has no frames. Give another trajectory.")
    make_whole(found, path.name)
    return Brought(
        np.asarray(found.xyz * ANGSTROM_PER_NM, dtype=np.float32),
        _choose_times(np.asarray(found.time, dtype=float), interval_ps),
        found.topology,
    )


def make_whole(found: Any, name: str) -> None:
    """Mend molecules that are broken across the periodic box, where it is known.

    Parameters
    ----------
    found : an mdtraj Trajectory, changed in place
    """
    bonds = _list_bonds(found.topology)
    if found.unitcell_vectors is None or not len(bonds):
        return
    vectors = found.xyz[:, bonds[:, 1]] - found.xyz[:, bonds[:, 0]]
    torn = (np.linalg.norm(vectors, axis=-1) > _TORN_NM).any(axis=1)
    if not torn.any():
        return
    rows = np.flatnonzero(torn)
    xyz = found.xyz[rows].astype(float)
    box = found.unitcell_vectors[rows].astype(float)
    known = np.linalg.det(box) > 0
    rows, xyz, box = rows[known], xyz[known], box[known]
    inverse = np.linalg.inv(box)
    mended = np.zeros(len(rows), dtype=bool)
    for first, second in bonds:  # outwards, so that the first is in place
        vector = xyz[:, second] - xyz[:, first]
        images = np.round(np.einsum("fx,fxy->fy", vector, inverse))
        shift = np.einsum("fy,fyx->fx", images, box)
        # what is far apart in every image is a gap in the chain
        near = images.any(axis=1) & (np.linalg.norm(vector - shift, axis=1) < _TORN_NM)
        xyz[near, second] -= shift[near]
        mended |= near
    found.xyz[rows] = xyz
    if mended.any():
        log.warning(
            "%s: molecules were broken across the periodic box in %d of %d frames; "
            "they were made whole", name, int(mended.sum()), len(found),
        )  # fmt: skip


def _list_bonds(topology: Any) -> IntArray:
    """Return bonds (n, 2) such that each atom but the first is reached from another.

    C-alphas alone are bonded to the next one of their chain.
    """
    bonds = [(a.index, b.index) for a, b in topology.bonds]
    if not bonds:
        atoms = [a for a in topology.atoms if a.name == "CA"]
        bonds = [
            (a.index, b.index)
            for a, b in pairwise(atoms)
            if a.residue.chain.index == b.residue.chain.index
            and b.residue.resSeq == a.residue.resSeq + 1
        ]
    beside: dict[int, list[int]] = {}
    for a, b in bonds:
        beside.setdefault(a, []).append(b)
        beside.setdefault(b, []).append(a)
    reached: list[tuple[int, int]] = []
    seen: set[int] = set()
    for root in sorted(beside):
        if root in seen:
            continue
        seen.add(root)
        row = [root]
        for atom in row:
            for other in sorted(beside[atom]):
                if other not in seen:
                    seen.add(other)
                    row.append(other)
                    reached.append((atom, other))
    return np.array(reached, dtype=int).reshape(-1, 2)


def ask_mdtraj(load: Any, plain: Path, path: Path, what: str, **named: Any) -> Any:
    """Read a file; whatever a reader raises becomes a sentence.

    The readers are many, and raise anything: IndexError, struct.error, what HDF5 says.
    """
    try:
        with warnings.catch_warnings():  # of slower readers, and of absent elements
            warnings.simplefilter("ignore")
            return load(str(plain), **named)
    except MemoryError:
        raise
    except Exception as error:
        said = " ".join(str(error).split())
        raise DataError(
            f"{path} cannot be read as a {what} ({said[:200] or type(error).__name__})."
            " Give a format that mdtraj reads, and the topology of the same atoms."
        ) from None


def read_topology(path: Path) -> Any:
    """Return the mdtraj Topology of a structure file.

    Raises
    ------
    DataError
        If it cannot be read.
    """
    import mdtraj

    if not path.is_file():
        raise DataError(f"{path} does not exist. Check its path.")
    return ask_mdtraj(mdtraj.load_topology, path, path, "structure")


def _name(topology: Path) -> Any:
    """Return what mdtraj takes atoms from; of PSF files of beads it reads only some."""
    if is_calpha_psf(topology):
        return name_atoms(read_psf(topology))
    return read_topology(topology)


def _choose_times(found: Array, interval_ps: float | None) -> Array:
    """Return times from the first frame on; a file may hold none, or frame numbers."""
    if interval_ps is not None:
        return interval_ps * np.arange(len(found))
    if len(found) > 1 and (np.diff(found) > 0).all():
        return np.asarray(found - found[0])
    return np.arange(len(found), dtype=float)


def read_weights(path: Path, n_frames: int) -> Array:
    """Return (n_frames,) weights from .npy, .npz (the array ``weight``) or text.

    Raises
    ------
    DataError
        If the file is missing or holds no numbers.
    WeightError
        If there is not one finite weight, none negative, for every frame.
    """
    if not path.is_file():
        raise DataError(f"{path} does not exist. Check the path of the weights.")
    try:
        if path.suffix == ".npz":
            with np.load(path, allow_pickle=False) as arrays:
                key = "weight" if "weight" in arrays else arrays.files[0]
                found = np.asarray(arrays[key], dtype=float)
        elif path.suffix == ".npy":
            found = np.asarray(np.load(path, allow_pickle=False), dtype=float)
        else:
            delimiter = "," if path.suffix == ".csv" else None
            found = np.loadtxt(path, dtype=float, delimiter=delimiter, ndmin=1)
    except (ValueError, OSError, IndexError, TypeError, EOFError, BadZipFile) as error:
        raise DataError(
            f"{path} holds no weights ({error}). Give numbers, one a frame."
        ) from None
    found = found.squeeze() if found.ndim > 1 else found
    if found.shape != (n_frames,):
        raise WeightError(
            f"{path} holds weights of shape {found.shape} but there are {n_frames} "
            "frames. Give one weight for each, in the order of the frames."
        )
    if not np.isfinite(found).all() or found.min() < 0 or found.sum() <= 0:
        raise WeightError(
            f"{path} holds weights from {np.nanmin(found):g} to {np.nanmax(found):g}; "
            "expected finite ones, none negative and not all zero."
        )
    return found


def map_to_beads(brought: Brought, mapping: Mapping, name: str) -> Array:
    """Return the beads (n_frames, n_beads, 3), Angstrom, of another's trajectory.

    It may hold the beads themselves, the atoms that the mapping was made for, or
    those and others (water, ions).

    Raises
    ------
    ShapeMismatchError
        If it is of another protein, or lacks atoms that beads need.
    """
    topology = brought.topology
    expected = [name_residue(r) for r in mapping.resnames]
    n_atoms = topology.n_atoms
    if n_atoms == mapping.n_beads and n_atoms != mapping.n_atoms:
        _check_residues(name, [a.residue for a in topology.atoms], expected)
        return brought.positions
    atoms = [
        a.index for a in topology.atoms if not a.residue.is_water
    ]  # solute first, as mdtraj orders chains
    kept = atoms[: mapping.n_atoms] if len(atoms) > mapping.n_atoms else atoms
    if len(kept) != mapping.n_atoms:
        raise ShapeMismatchError(
            f"The {name} has {n_atoms} atoms ({len(atoms)} without water); the "
            f"reference's protein has {mapping.n_atoms} atoms and {mapping.n_beads} "
            "beads. Give a trajectory of the same protein, with its topology."
        )
    heavy = [max(g.atoms, key=lambda a: abs(g.coefficients[g.atoms.index(a)]))
             for g in mapping.coordinate_groups]  # fmt: skip
    _check_residues(name, [topology.atom(kept[a]).residue for a in heavy], expected)
    _check_names(name, [topology.atom(kept[a]).name for a in heavy], mapping)
    return np.asarray(
        mapping.map_positions(brought.positions[:, kept]), dtype=np.float32
    )


def _check_residues(name: str, residues: Sequence[Any], expected: list[str]) -> None:
    found = [name_residue(r.name) for r in residues]
    wrong = [k for k, (a, b) in enumerate(zip(found, expected, strict=True)) if a != b]
    if wrong:
        named = ", ".join(
            f"bead {k} is of {found[k]}, not of {expected[k]}" for k in wrong[:_N_NAMED]
        )
        raise ShapeMismatchError(
            f"The {name} is of another protein, or its atoms are in another order: "
            f"{named} ({len(wrong)} of {len(found)} differ from the reference). Give a "
            "trajectory of the same protein."
        )


def _check_names(name: str, found: list[str], mapping: Mapping) -> None:
    if mapping.kind not in {"calpha", "backbone"}:
        return  # beads of several atoms are not named after one
    wrong = [k for k, n in enumerate(found) if n != mapping.names[k].split(":")[-1]]
    if wrong:
        k = wrong[0]
        raise ShapeMismatchError(
            f"The {name} has atom {found[k]} where the mapping has "
            f"{mapping.describe_bead(k)}: its atoms are in another order. Write it "
            "with the topology of the reference."
        )


def assemble_frames(
    beads: Sequence[Array], times_ps: Sequence[Array], weight: Array | None
) -> WeightedFrames:
    """Return trajectories as one weighted set; each is one lineage.

    Parameters
    ----------
    beads : of each trajectory, (n_frames, n_beads, 3), Angstrom
    times_ps : of each, (n_frames,)
    weight : (all frames,); None: all alike
    """
    index = np.repeat(np.arange(len(beads)), [len(b) for b in beads])
    return WeightedFrames(
        positions=np.concatenate(beads).astype(np.float32),
        weight=np.ones(len(index)) if weight is None else weight,
        lineage=index,
        trajectory=index,
        time_ps=np.concatenate(times_ps),
    )


def bring_frames(
    paths: Sequence[Path],
    mapping: Mapping,
    name: str,
    topology: Path | None = None,
    weights: Path | None = None,
    interval_ps: float | None = None,
) -> WeightedFrames:
    """Return trajectories as a weighted set of the beads of ``mapping``."""
    found = [load_trajectory(p, topology, interval_ps) for p in paths]
    n_frames = sum(len(f.positions) for f in found)
    weight = None if weights is None else read_weights(weights, n_frames)
    beads = [map_to_beads(f, mapping, name) for f in found]
    return assemble_frames(beads, [f.time_ps for f in found], weight)
