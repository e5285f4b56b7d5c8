"""How many atoms a system will have, before it is built."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from apps.science.arrays import Array
from apps.science.systems.config import SystemConfig
from apps.science.systems.residues import CAPS
from apps.science.systems.structure import Residue, split_molecules
from apps.science.systems.taken import take_structure
from apps.science.units import ANGSTROM_PER_NM

_ATOMS: Final = {
    "ALA": 10, "ARG": 24, "ASN": 14, "ASP": 12, "CYS": 11, "GLN": 17, "GLU": 15,
    "GLY": 7, "HIS": 17, "ILE": 19, "LEU": 19, "LYS": 22, "MET": 17, "PHE": 20,
    "PRO": 14, "SER": 11, "THR": 14, "TRP": 24, "TYR": 21, "VAL": 16,
    "ACE": 6, "NME": 6, "NH2": 3,
}  # fmt: skip
"""With hydrogens at pH 7, inside a chain; other states are an atom more or less."""
_ENDS = 3
_WATERS_PER_NM3 = 33.4
_ATOMS_PER_WATER = 3
_PROTEIN_NM3_PER_ATOM = 0.0095


@dataclass(frozen=True)
class SystemSize:
    """Atoms of a system, to a few in a hundred; water to a tenth.

    Attributes
    ----------
    n_solute : of protein and kept ions: what frames record
    n_particles : all that is simulated
    n_residues : without caps and ions
    n_starts : start structures
    unfolds : whether some of them are frames of a hot run
    """

    n_solute: int
    n_particles: int
    n_residues: int
    n_starts: int
    unfolds: bool


def estimate_size(config: SystemConfig) -> SystemSize:
    """Return how many atoms the system of ``config`` will have.

    Raises
    ------
    StructureError
        If the structure cannot be read.
    """
    taken = take_structure(config)
    n_solute = count_atoms(taken.residues)
    n_residues = sum(r.is_amino_acid for r in taken.given)
    n_particles = n_solute
    if config.explicit:
        edges = _extents_nm(taken.residues) + config.padding_nm
        volume = float(edges.max()) ** 3 - _PROTEIN_NM3_PER_ATOM * n_solute
        n_particles += _ATOMS_PER_WATER * round(_WATERS_PER_NM3 * max(0.0, volume))
    n_starts = len(taken.start_names) + taken.n_unfolding
    return SystemSize(
        n_solute, n_particles, n_residues, n_starts, taken.n_unfolding > 0
    )


def count_atoms(residues: Sequence[Residue]) -> int:
    """Return the atoms of residues with their hydrogens; ions count one."""
    n_atoms = 0
    for molecule in split_molecules(residues):
        n_atoms += sum(_ATOMS.get(r.base, len(r.atoms)) for r in molecule)
        if len(molecule) > 1 or molecule[0].is_amino_acid:
            ends = [molecule[0].base not in CAPS, molecule[-1].base not in CAPS]
            n_atoms += _ENDS if all(ends) else sum(ends)
    return n_atoms


def _extents_nm(residues: Sequence[Residue]) -> Array:
    places = np.concatenate([list(r.atoms.values()) for r in residues])
    return np.asarray(np.ptp(places, axis=0)) / ANGSTROM_PER_NM
