"""Residues that beads are made of, and the integers that models know beads by.

Embedding integers are stable: checkpoints hold them. 1 to 21 are residues of
C-alpha beads, in the order of the published C-alpha models (Majewski 2022), so that
their checkpoints can be read. 30 to 35 are backbone atoms, 40 to 60 side-chain beads
in the same order of residues; 22 to 29 and 61 to 63 are left to the user.
"""

from collections.abc import Mapping
from typing import Final

ONE_LETTER: Final = {
    "ALA": "A", "GLY": "G", "PHE": "F", "TYR": "Y", "ASP": "D", "GLU": "E",
    "TRP": "W", "PRO": "P", "ASN": "N", "GLN": "Q", "HIS": "H", "SER": "S",
    "THR": "T", "VAL": "V", "MET": "M", "CYS": "C", "NLE": "J", "ARG": "R",
    "LYS": "K", "LEU": "L", "ILE": "I",
}  # fmt: skip

RESIDUE_EMBEDDING: Final = {name: i for i, name in enumerate(ONE_LETTER, start=1)}

BACKBONE_EMBEDDING: Final = {
    "N": 30, "C": 31, "ACE:C": 32, "NME:N": 33, "O": 34, "CB": 35,
}  # fmt: skip

SIDE_CHAIN_EMBEDDING: Final = {n: 39 + i for n, i in RESIDUE_EMBEDDING.items()}

N_EMBEDDINGS: Final = 64
"""Rows of an embedding table; larger than any integer in use."""

CAPS: Final = {"ACE": ("C", "O"), "NME": ("N",), "NHE": ("N",), "NH2": ("N",)}
"""Caps, and their atoms that continue the backbone."""

STANDS_FOR: Final = {
    # protonation states, as AMBER, CHARMM and GROMACS call them
    "HID": "HIS", "HIE": "HIS", "HIP": "HIS", "HSD": "HIS", "HSE": "HIS",
    "HSP": "HIS", "HISD": "HIS", "HISE": "HIS", "HISH": "HIS", "CYX": "CYS",
    "CYM": "CYS", "CYS2": "CYS", "ASH": "ASP", "ASPP": "ASP", "GLH": "GLU",
    "GLUP": "GLU", "LYN": "LYS", "LSN": "LYS", "ARN": "ARG", "TYM": "TYR",
    # modified residues, by the one they are derived from
    "MSE": "MET", "SEC": "CYS", "CSO": "CYS", "CME": "CYS", "SEP": "SER",
    "TPO": "THR", "PTR": "TYR", "HYP": "PRO", "MLY": "LYS", "M3L": "LYS",
    "KCX": "LYS", "CGU": "GLU", "PCA": "GLU",
}  # fmt: skip
"""What a residue of another name counts as; ``mapping.residues`` adds to it."""


def name_residue(resname: str, extra: Mapping[str, str] | None = None) -> str:
    """Return the residue that ``resname`` counts as, itself where none is known.

    Parameters
    ----------
    extra : the user's table, such as {"ABA": "ALA"}; it wins over weft's own
    """
    if extra and resname in extra:
        return extra[resname]
    return STANDS_FOR.get(resname, resname)
