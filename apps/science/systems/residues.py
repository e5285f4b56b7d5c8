"""The residues that amber14 and its hydrogen table know, and their other names."""

from typing import Final

ONE_TO_THREE: Final = {
    "A": "ALA", "C": "CYS", "D": "ASP", "E": "GLU", "F": "PHE", "G": "GLY", "H": "HIS",
    "I": "ILE", "K": "LYS", "L": "LEU", "M": "MET", "N": "ASN", "P": "PRO", "Q": "GLN",
    "R": "ARG", "S": "SER", "T": "THR", "V": "VAL", "W": "TRP", "Y": "TYR",
}  # fmt: skip

THREE_TO_ONE: Final = {three: one for one, three in ONE_TO_THREE.items()}

VARIANTS: Final = {
    "ASH": ("ASP", "ASH"), "ASPP": ("ASP", "ASH"), "ASPH": ("ASP", "ASH"),
    "GLH": ("GLU", "GLH"), "GLUP": ("GLU", "GLH"), "GLUH": ("GLU", "GLH"),
    "LYN": ("LYS", "LYN"), "LSN": ("LYS", "LYN"),
    "LYP": ("LYS", "LYS"), "LYSH": ("LYS", "LYS"),
    "HID": ("HIS", "HID"), "HSD": ("HIS", "HID"), "HISD": ("HIS", "HID"),
    "HISA": ("HIS", "HID"), "HIE": ("HIS", "HIE"), "HSE": ("HIS", "HIE"),
    "HISE": ("HIS", "HIE"), "HISB": ("HIS", "HIE"), "HIP": ("HIS", "HIP"),
    "HSP": ("HIS", "HIP"), "HISP": ("HIS", "HIP"), "HISH": ("HIS", "HIP"),
    "CYX": ("CYS", "CYX"), "CYS2": ("CYS", "CYX"), "CYM": ("CYS", "CYM"),
    "CYN": ("CYS", "CYS"), "CYSH": ("CYS", "CYS"),
}  # fmt: skip
"""Amber, CHARMM and GROMACS names of protonation states: residue, Amber's name."""

PROTONATION_VARIANTS: Final = {name: base for name, (base, _) in VARIANTS.items()}

ONLY_INSIDE: Final = frozenset({"ASH", "GLH", "LYN", "CYM"})
"""States that amber14 describes inside a chain, and not at its charged ends."""

D_NAMES: Final = {
    "DAL": "ALA", "DAR": "ARG", "DSG": "ASN", "DAS": "ASP", "DCY": "CYS", "DGN": "GLN",
    "DGL": "GLU", "DHI": "HIS", "DIL": "ILE", "DLE": "LEU", "DLY": "LYS", "MED": "MET",
    "DPN": "PHE", "DPR": "PRO", "DSN": "SER", "DTH": "THR", "DTR": "TRP", "DTY": "TYR",
    "DVA": "VAL",
}  # fmt: skip
"""Right-handed (D) amino acids, and the left-handed ones with the same bonds."""

L_TO_D: Final = {name: d_name for d_name, name in D_NAMES.items()}

START_CAPS: Final = ("ACE",)
END_CAPS: Final = ("NME", "NH2")
CAPS: Final = (*START_CAPS, *END_CAPS)
CAP_NAMES: Final = {
    "ACE": "ACE", "NME": "NME", "NMA": "NME", "NH2": "NH2", "NHE": "NH2",
}  # fmt: skip
CAP_ATOMS: Final = {
    "ACE": {"CAY": "CH3", "CY": "C", "OY": "O", "CA": "CH3"},
    "NME": {"NT": "N", "CAT": "C", "CH3": "C", "CT": "C", "CA": "C"},
    "NH2": {"NT": "N", "NXT": "N"},
}
"""What CHARMM and GROMACS call the atoms of caps."""

WATERS: Final = frozenset({
    "HOH", "WAT", "H2O", "TIP3", "TIP", "SOL", "DOD", "TIP4", "TIP5", "TP3", "TP4",
    "TP5", "T3P", "T4P", "SPC", "SPCE", "OPC", "OH2", "HH0", "D2O",
})  # fmt: skip

IONS: Final = {
    "NA": "Na", "NA+": "Na", "SOD": "Na", "K": "K", "K+": "K", "POT": "K",
    "CL": "Cl", "CL-": "Cl", "CLA": "Cl", "BR": "Br", "BR-": "Br", "F": "F",
    "LI": "Li", "LI+": "Li", "LIT": "Li", "RB": "Rb", "RB+": "Rb", "RUB": "Rb",
    "CS": "Cs", "CS+": "Cs", "CES": "Cs", "MG": "Mg", "MG2+": "Mg", "MG2": "Mg",
    "CA": "Ca", "CA2+": "Ca", "CA2": "Ca", "CAL": "Ca", "ZN": "Zn", "ZN2+": "Zn",
    "ZN2": "Zn", "MN": "Mn", "CO": "Co", "NI": "Ni", "CD": "Cd", "SR": "Sr", "BA": "Ba",
}  # fmt: skip
"""Ions that amber14's tip3pfb has parameters for, one set an element."""

OTHER_IONS: Final = frozenset({
    "FE", "FE2", "CU", "CU1", "HG", "PB", "AG", "AU", "PT", "IOD", "AL", "3CO", "3NI",
    "MN3", "YB", "GD", "EU", "TB", "LA", "CE", "SM", "TL", "U1", "V", "CR", "PD",
})  # fmt: skip

NUCLEOTIDES: Final = frozenset({
    "A", "C", "G", "U", "T", "I", "DA", "DC", "DG", "DT", "DU", "ADE", "CYT", "GUA",
    "URA", "THY", "RA", "RC", "RG", "RU", "DA5", "DC5", "DG5", "DT5", "DA3", "DC3",
    "DG3", "DT3",
})  # fmt: skip

SUGARS: Final = frozenset({
    "NAG", "NDG", "MAN", "BMA", "GAL", "GLA", "GLC", "BGC", "FUC", "FUL", "SIA", "XYS",
    "A2G", "NGA",
})  # fmt: skip

DERIVED_FROM: Final = {
    "MSE": "MET", "SEP": "SER", "TPO": "THR", "PTR": "TYR", "NLE": "LEU", "SEC": "CYS",
    "CSO": "CYS", "CME": "CYS", "OCS": "CYS", "HYP": "PRO", "MLY": "LYS", "M3L": "LYS",
    "KCX": "LYS", "CGU": "GLU", "ABA": "ALA", "AIB": "ALA", "NVA": "VAL", "ORN": "LYS",
    "TYS": "TYR", "MLZ": "LYS", "ALY": "LYS", "CSD": "CYS", "TRQ": "TRP", "PCA": "GLU",
    "ARN": "ARG", "TYM": "TYR", "HIN": "HIS",
}  # fmt: skip
"""Modified residues that no template of amber14 fits, and what they derive from."""

REPLACED_ATOMS: Final = {("MSE", "MET"): {"SE": "SD"}, ("SEC", "CYS"): {"SE": "SG"}}

BACKBONE: Final = ("N", "CA", "C", "O")

_SIDE_CHAINS: Final = {
    "ALA": "CB", "ARG": "CB CG CD NE CZ NH1 NH2", "ASN": "CB CG OD1 ND2",
    "ASP": "CB CG OD1 OD2", "CYS": "CB SG", "GLN": "CB CG CD OE1 NE2",
    "GLU": "CB CG CD OE1 OE2", "GLY": "", "HIS": "CB CG ND1 CD2 CE1 NE2",
    "ILE": "CB CG1 CG2 CD1", "LEU": "CB CG CD1 CD2", "LYS": "CB CG CD CE NZ",
    "MET": "CB CG SD CE", "PHE": "CB CG CD1 CD2 CE1 CE2 CZ", "PRO": "CB CG CD",
    "SER": "CB OG", "THR": "CB OG1 CG2", "TRP": "CB CG CD1 CD2 NE1 CE2 CE3 CZ2 CZ3 CH2",
    "TYR": "CB CG CD1 CD2 CE1 CE2 CZ OH", "VAL": "CB CG1 CG2",
}  # fmt: skip

HEAVY_ATOMS: Final = {
    **{name: (*BACKBONE, *side.split()) for name, side in _SIDE_CHAINS.items()},
    "ACE": ("CH3", "C", "O"), "NME": ("N", "C"), "NH2": ("N",),
}  # fmt: skip
"""The heavy atoms of each residue; OXT stands beside them at a charged end."""

ATOM_NAMES: Final = {
    "O1": "O", "OT1": "O", "OCT1": "O", "OC1": "O",
    "O2": "OXT", "OT2": "OXT", "OCT2": "OXT", "OC2": "OXT", "OT": "OXT",
}  # fmt: skip
RESIDUE_ATOM_NAMES: Final = {
    "ILE": {"CD": "CD1"}, "CYS": {"SG1": "SG"}, "SER": {"OG1": "OG"},
}  # fmt: skip
"""Other names of heavy atoms, as CHARMM and GROMACS write them."""

TITRATION: Final = {
    "ASP": (("HD1", "HD2"), "ASH"),
    "GLU": (("HE1", "HE2"), "GLH"),
}
"""Hydrogens that only the protonated form has."""
