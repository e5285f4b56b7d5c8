"""Whether what comes out of building is what went in: atoms, bridges, states, hands."""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from apps.science.arrays import Array
from apps.science.errors import StructureError
from apps.science.systems.chains import is_allo, measure_branch, measure_hand
from apps.science.systems.residues import IONS
from apps.science.systems.structure import Residue, is_lone_ion
from apps.science.systems.taken import Taken

_MOVED_ANGSTROM: Final = 0.01
_STATE_HYDROGENS: Final = {
    "HIP": ({"HD1", "HE2"}, set()), "HID": ({"HD1"}, {"HE2"}),
    "HIE": ({"HE2"}, {"HD1"}), "ASH": ({"HD2"}, set()), "GLH": ({"HE2"}, set()),
    "CYX": (set(), {"HG"}), "CYM": (set(), {"HG"}),
    "CYS": ({"HG"}, set()), "LYS": ({"HZ1", "HZ2", "HZ3"}, set()),
}  # fmt: skip
"""Hydrogens that a state has, and those that it has not."""


def check_arrival(taken: Taken, topology: Any, starts: Sequence[Array]) -> None:
    """Compare a built topology with the residues that were taken.

    Parameters
    ----------
    topology : of OpenMM; the residues taken come first
    starts : (n_atoms, 3) each, Angstrom

    Raises
    ------
    StructureError
        If an atom was lost or moved, or a state or a hand is another one.
    """
    built = list(topology.residues())[: len(taken.residues)]
    if len(built) < len(taken.residues):
        raise StructureError(
            f"Building kept {len(built)} of {len(taken.residues)} residues. The "
            "structure is one that weft cannot build: leave out what is unusual in it."
        )
    for residue, made in zip(taken.residues, built, strict=True):
        atoms = {atom.name: atom.index for atom in made.atoms()}
        _check_kept(residue, atoms, starts[0])
        _check_state(residue, set(atoms))
        for positions in starts:
            _check_hands(residue, {k: positions[i] for k, i in atoms.items()})
    _check_bridges(taken, topology)


def _check_kept(residue: Residue, atoms: dict[str, int], positions: Array) -> None:
    for name, place in residue.atoms.items():
        known = IONS[residue.name].upper() if is_lone_ion(residue) else name
        index = atoms.get(known)
        if index is None:
            raise StructureError(
                f"Atom {name} of {residue} was lost in building. Name it as in the "
                "PDB, or leave the residue out."
            )
        moved = float(np.linalg.norm(positions[index] - place))
        if moved > _MOVED_ANGSTROM:
            raise StructureError(
                f"Atom {name} of {residue} was moved by {moved:.2f} Angstrom in "
                "building. Complete the structure around it."
            )


def _check_state(residue: Residue, names: set[str]) -> None:
    if residue.variant is None:
        return
    has, lacks = _STATE_HYDROGENS.get(residue.variant, (set(), set()))
    n_amine = sum(name.startswith("HZ") for name in names)
    is_other = residue.variant == "LYN" and n_amine != 2
    if not has <= names or lacks & names or is_other:
        raise StructureError(
            f"{residue} was not built as {residue.variant}: it has "
            f"{' '.join(sorted(n for n in names if n.startswith('H')))}. Name it "
            f"{residue.base}, or report this with the structure."
        )


def _check_hands(residue: Residue, places: dict[str, Array]) -> None:
    sign = -1.0 if residue.is_right_handed else 1.0
    now = Residue(residue.name, residue.number, residue.chain, places)
    at_beta = -sign if is_allo(residue) else sign
    if measure_hand(now) * sign < 0 or measure_branch(now) * at_beta < 0:
        raise StructureError(
            f"{residue} came out mirrored. Complete its side chain in the structure: "
            "what is there does not say which hand it has."
        )


def _check_bridges(taken: Taken, topology: Any) -> None:
    made = {
        frozenset((one.residue.index, two.residue.index))
        for one, two in topology.bonds()
        if one.name == two.name == "SG"
    }
    place = {id(residue): i for i, residue in enumerate(taken.residues)}
    asked = {frozenset(_find(place, taken, k) for k in pair) for pair in taken.bridges}
    if made != asked:
        raise StructureError(
            f"{len(asked)} disulfide bridges were found in the structure and "
            f"{len(made)} were built. Mend the places of the sulphurs."
        )


def _find(place: dict[int, int], taken: Taken, k: int) -> int:
    residue = taken.given[k]
    if id(residue) in place:
        return place[id(residue)]
    return next(
        i
        for i, r in enumerate(taken.residues)
        if (r.molecule, r.number, r.name)
        == (residue.molecule, residue.number, residue.name)
    )
