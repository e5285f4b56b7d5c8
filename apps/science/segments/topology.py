"""Topologies, as mdtraj knows them, of what a WE run records: atoms, beads, points."""

from pathlib import Path
from typing import Any

import numpy as np

from apps.science.arrays import Array
from apps.science.cg.mapping.mapping import Mapping
from apps.science.files import atomic_path


def read_atoms(pdb: Path) -> Any:
    """Return the topology of a PDB file, its atom names as they stand there."""
    import mdtraj

    return mdtraj.load_pdb(str(pdb), standard_names=False).topology


def make_beads(mapping: Mapping) -> Any:
    """Return the topology of the beads: an atom each, named for where it lies."""
    import mdtraj

    topology = mdtraj.Topology()
    chains: dict[int, Any] = {}
    residues: dict[tuple[int, int], Any] = {}
    of_bead = zip(
        mapping.chains, mapping.resids, mapping.resnames, mapping.names, strict=True
    )
    atoms = []
    for chain, resid, resname, name in of_bead:
        if chain not in chains:
            chains[chain] = topology.add_chain()
        if (chain, resid) not in residues:
            residues[chain, resid] = topology.add_residue(
                resname, chains[chain], resSeq=resid
            )
        element = mdtraj.element.get_by_symbol(name[0])
        atoms.append(topology.add_atom(name, element, residues[chain, resid]))
    for i, j in mapping.bonds:
        topology.add_bond(atoms[i], atoms[j])
    return topology


def make_points(n_points: int) -> Any:
    """Return the topology of ``n_points`` particles without chemistry."""
    import mdtraj

    topology = mdtraj.Topology()
    chain = topology.add_chain()
    for k in range(n_points):
        residue = topology.add_residue("PNT", chain, resSeq=k + 1)
        topology.add_atom("C", mdtraj.element.carbon, residue)
    return topology


def write_pdb(path: Path, topology: Any, positions: Array) -> Path:
    """Write one frame as PDB, atomically.

    Parameters
    ----------
    positions : (n_atoms, 3), Angstrom; NaN are written as 0
    """
    from mdtraj.formats import PDBTrajectoryFile

    whole = np.nan_to_num(np.asarray(positions, dtype=float), nan=0.0)
    with (
        atomic_path(path) as temporary,
        PDBTrajectoryFile(str(temporary), "w", standard_names=False) as pdb,
    ):
        pdb.write(whole, topology)
    return path
