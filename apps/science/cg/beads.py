"""Which beads a protein is reduced to, and the integers that models know them by.

Embedding integers are stable: checkpoints hold them. 1 to 21 are residues of
C-alpha beads, in the order of the published C-alpha models (Majewski 2022), so that
their checkpoints can be read. 30 to 33 are backbone atoms that carry no side chain.
"""

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Literal

from apps.science.arrays import Array
from apps.science.errors import StructureError

BeadKind = Literal["calpha", "backbone"]

ONE_LETTER: Final = {
    "ALA": "A", "GLY": "G", "PHE": "F", "TYR": "Y", "ASP": "D", "GLU": "E",
    "TRP": "W", "PRO": "P", "ASN": "N", "GLN": "Q", "HIS": "H", "SER": "S",
    "THR": "T", "VAL": "V", "MET": "M", "CYS": "C", "NLE": "J", "ARG": "R",
    "LYS": "K", "LEU": "L", "ILE": "I",
}  # fmt: skip

RESIDUE_EMBEDDING: Final = {name: i for i, name in enumerate(ONE_LETTER, start=1)}

BACKBONE_EMBEDDING: Final = {"N": 30, "C": 31, "ACE:C": 32, "NME:N": 33}

N_EMBEDDINGS: Final = 64
"""Rows of an embedding table; larger than any integer in use."""

_PROTONATION: Final = {
    "HID": "HIS", "HIE": "HIS", "HIP": "HIS", "HSD": "HIS", "HSE": "HIS",
    "HSP": "HIS", "CYX": "CYS", "CYM": "CYS", "ASH": "ASP", "GLH": "GLU",
    "LYN": "LYS",
}  # fmt: skip


@dataclass(frozen=True)
class Bead:
    """One bead before it has a place in a mapping.

    Attributes
    ----------
    name : atom name
    type_name : TorchMD atom type, such as ``CAY`` for the C-alpha of tyrosine
    atoms : indices into the topology
    """

    name: str
    type_name: str
    embedding: int
    resname: str
    resid: int
    chain: int
    residue: int
    atoms: tuple[int, ...]


def name_residue(resname: str) -> str:
    """Return the residue's plain name, whatever its protonation state is called."""
    return _PROTONATION.get(resname, resname)


def _carries_calpha(residue: Any) -> bool:
    return any(a.name == "CA" and a.element.symbol == "C" for a in residue.atoms)


def _calpha_bead(residue: Any) -> Bead:
    plain = name_residue(residue.name)
    if plain not in RESIDUE_EMBEDDING:
        raise StructureError(
            f"Residue {residue.name} {residue.resSeq} has no C-alpha bead type. "
            f"Known residues: {', '.join(sorted(RESIDUE_EMBEDDING))}."
        )
    atom = next(a for a in residue.atoms if a.name == "CA")
    return Bead(
        "CA", f"CA{ONE_LETTER[plain]}", RESIDUE_EMBEDDING[plain], plain,
        residue.resSeq, residue.chain.index, residue.index, (atom.index,),
    )  # fmt: skip


def _backbone_atom_bead(residue: Any, name: str, key: str) -> Bead:
    atom = next((a for a in residue.atoms if a.name == name), None)
    if atom is None:
        raise StructureError(
            f"Residue {residue.name} {residue.resSeq} has no atom {name}, which "
            "backbone beads need. Complete the structure first."
        )
    plain = name_residue(residue.name)
    return Bead(
        name, f"{name}-{plain}", BACKBONE_EMBEDDING[key], plain,
        residue.resSeq, residue.chain.index, residue.index, (atom.index,),
    )  # fmt: skip


def choose_calpha(topology: Any) -> list[Bead]:
    """Return one bead per residue that has a C-alpha (an mdtraj topology in)."""
    return [_calpha_bead(r) for r in topology.residues if _carries_calpha(r)]


def choose_backbone(topology: Any) -> list[Bead]:
    """Return N, CA and C of every residue, and the cap atoms bonded to them.

    For a capped alanine dipeptide these are the five beads of CGnet: C (ACE), N, CA,
    C (ALA), N (NME).
    """
    beads: list[Bead] = []
    for residue in topology.residues:
        if residue.name == "ACE":
            beads.append(_backbone_atom_bead(residue, "C", "ACE:C"))
        elif residue.name in {"NME", "NHE"}:
            beads.append(_backbone_atom_bead(residue, "N", "NME:N"))
        elif _carries_calpha(residue):
            beads.append(_backbone_atom_bead(residue, "N", "N"))
            beads.append(_calpha_bead(residue))
            beads.append(_backbone_atom_bead(residue, "C", "C"))
    return beads


CHOOSERS: Final[dict[BeadKind, Callable[[Any], list[Bead]]]] = {
    "calpha": choose_calpha,
    "backbone": choose_backbone,
}


LONGEST_BOND: Final[dict[BeadKind, float]] = {"calpha": 4.6, "backbone": 2.5}
"""Angstrom; a wider gap between neighbouring residues is a chain break."""


def connect_beads(
    beads: list[Bead], positions: Array, longest_bond: float
) -> list[tuple[int, int]]:
    """Return bonds between neighbours along the chain.

    Parameters
    ----------
    positions : (n_beads, 3), Angstrom
    longest_bond : Angstrom; a wider gap is a chain break
    """
    bonds = []
    for i, (one, two) in enumerate(itertools.pairwise(beads)):
        same_chain = one.chain == two.chain
        neighbours = two.residue - one.residue <= 1
        gap = float(((positions[i] - positions[i + 1]) ** 2).sum() ** 0.5)
        if same_chain and neighbours and gap < longest_bond:
            bonds.append((i, i + 1))
    return bonds


def walk_chains(bonds: list[tuple[int, int]], n_members: int) -> list[tuple[int, ...]]:
    """Return every run of ``n_members`` beads joined by consecutive bonds."""
    joined = set(bonds)
    runs = (
        tuple(range(first, first + n_members))
        for first in sorted({i for i, _ in bonds})
    )
    return [
        run for run in runs if all(pair in joined for pair in itertools.pairwise(run))
    ]
