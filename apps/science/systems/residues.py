"""The residues that amber14 and its hydrogen table know, by their PDB names."""

from typing import Final

ONE_TO_THREE: Final = {
    "A": "ALA", "C": "CYS", "D": "ASP", "E": "GLU", "F": "PHE", "G": "GLY", "H": "HIS",
    "I": "ILE", "K": "LYS", "L": "LEU", "M": "MET", "N": "ASN", "P": "PRO", "Q": "GLN",
    "R": "ARG", "S": "SER", "T": "THR", "V": "VAL", "W": "TRP", "Y": "TYR",
}  # fmt: skip

PROTONATION_VARIANTS: Final = {
    "ASH": "ASP", "CYM": "CYS", "CYX": "CYS", "GLH": "GLU", "HID": "HIS", "HIE": "HIS",
    "HIP": "HIS", "HSD": "HIS", "HSE": "HIS", "HSP": "HIS", "LYN": "LYS",
}  # fmt: skip
"""Names that force fields give to protonation states; hydrogens are added anew."""

CAPS: Final = ("ACE", "NME")

WATERS: Final = frozenset({"HOH", "WAT", "H2O", "TIP3", "TIP", "SOL", "DOD"})

THREE_TO_ONE: Final = {three: one for one, three in ONE_TO_THREE.items()}
