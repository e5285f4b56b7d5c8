"""Side chains that PDBFixer completed: the hand at CB of ILE and THR is put right.

PDBFixer lays a template over what is there; with one branch of CB missing it was seen
to build the mirrored (allo) form.
"""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from apps.science.arrays import Array
from apps.science.systems.chains import is_allo, measure_branch
from apps.science.systems.structure import Residue

_BRANCHES: Final = {"ILE": ("CG1", "CG2"), "THR": ("OG1", "CG2")}


def mend_branches(
    residues: Sequence[Residue], topology: Any, positions: Array
) -> dict[int, Array]:
    """Return new places, by atom, for atoms that were added on the wrong side of CB.

    Parameters
    ----------
    residues : as they were before atoms were added
    topology : of OpenMM, residues in the same order
    positions : (n_atoms, 3), Angstrom
    """
    mended: dict[int, Array] = {}
    for residue, made in zip(residues, topology.residues(), strict=True):
        if residue.base not in _BRANCHES or is_allo(residue):
            continue
        index = {atom.name: atom.index for atom in made.atoms()}
        places = {name: positions[i] for name, i in index.items()}
        now = Residue(residue.name, residue.number, residue.chain, places)
        if measure_branch(now) >= 0:
            continue
        stays, moves = sorted(
            _BRANCHES[residue.base], key=lambda name: name not in residue.atoms
        )
        if moves in residue.atoms:
            continue
        at = places["CB"]
        normal = np.cross(places["CA"] - at, places[stays] - at)
        normal /= np.linalg.norm(normal)
        for name in (moves, *(["CD1"] if moves == "CG1" else [])):
            if name not in residue.atoms:
                place = places[name]
                mended[index[name]] = place - 2 * ((place - at) @ normal) * normal
    return mended
