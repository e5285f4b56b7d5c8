"""Chains of heavy atoms: read from PDB text, checked, written as PDB text.

Kept apart from OpenMM so that ``weft validate`` can name a bad residue in well under
a second.
"""

from dataclasses import dataclass, field
from itertools import combinations, pairwise
from pathlib import Path
from typing import Final

import numpy as np

from apps.science.arrays import Array
from apps.science.errors import StructureError
from apps.science.systems.residues import (
    CAPS,
    ONE_TO_THREE,
    PROTONATION_VARIANTS,
    THREE_TO_ONE,
    WATERS,
)

MIN_APART_ANGSTROM: Final = 0.5
MAX_PEPTIDE_BOND_ANGSTROM: Final = 2.5
"""A longer C to N distance between neighbours in a file means missing residues."""

_KNOWN = frozenset(ONE_TO_THREE.values()) | frozenset(PROTONATION_VARIANTS) | set(CAPS)


@dataclass(frozen=True)
class Residue:
    """One residue and its heavy atoms, name to (3,) Angstrom."""

    name: str
    number: str
    chain: str
    atoms: dict[str, Array] = field(default_factory=dict)

    def __str__(self) -> str:
        """Return the residue as a person would look for it in the file."""
        chain = f" of chain {self.chain}" if self.chain.strip() else ""
        return f"{self.name} {self.number}{chain}"


def read_pdb(path: Path) -> list[Residue]:
    """Read the heavy atoms of a PDB file's first model, without water.

    Of alternative locations the first is kept. HETATM groups that are no residue of
    a chain (ligands, ions) are left out.

    Raises
    ------
    StructureError
        If a line has no readable coordinates, or no residue is found.
    """
    found: dict[tuple[str, str], Residue] = {}
    hetero: set[tuple[str, str]] = set()
    text = path.read_text(encoding="utf-8", errors="replace")
    for number, line in enumerate(text.splitlines(), start=1):
        if line.startswith("ENDMDL"):
            break
        if not line.startswith(("ATOM  ", "HETATM")):
            continue
        resname = line[17:21].strip()
        if resname in WATERS:
            continue
        try:
            position = np.array([float(line[k : k + 8]) for k in (30, 38, 46)])
        except ValueError:
            raise StructureError(
                f"{path} cannot be read as PDB: line {number} has no coordinates in "
                f"columns 31 to 54 ({line[:54].rstrip()!r}). Mend the file."
            ) from None
        name = line[12:16].strip()
        if _is_hydrogen(name, line[76:78].strip()):
            continue
        key = (line[21], line[22:27].strip())
        residue = found.setdefault(key, Residue(resname, key[1], key[0]))
        residue.atoms.setdefault(name, position)
        if line.startswith("HETATM"):
            hetero.add(key)
    residues = [
        residue
        for key, residue in found.items()
        if key not in hetero
        or residue.name in CAPS
        or {"N", "CA"} <= set(residue.atoms)
    ]
    if not residues:
        raise StructureError(
            f"{path} holds no protein: no ATOM record with a residue was found. "
            "Give a PDB file (not mmCIF) with at least one chain."
        )
    return residues


def _is_hydrogen(name: str, element: str) -> bool:
    if element.isalpha():
        return element in ("H", "D")
    return name.lstrip("0123456789").startswith("H")


def check_chain(residues: list[Residue], source: str) -> None:
    """Refuse what amber14 has no template for, and chains with a gap.

    Raises
    ------
    StructureError
        Naming the residue and its number.
    """
    for residue in residues:
        if residue.name not in _KNOWN:
            raise StructureError(
                f"{source}: residue {residue} is not in the amber14 force field. "
                f"Replace it by one of the 20 amino acids, such as "
                f"{_suggest(residue.name)}, or remove it."
            )
        missing = [
            atom
            for atom in ("N", "CA", "C")
            if residue.name not in CAPS and atom not in residue.atoms
        ]
        if missing:
            raise StructureError(
                f"{source}: residue {residue} lacks its backbone atom {missing[0]}. "
                "Side-chain atoms can be rebuilt, the backbone cannot: complete it."
            )
        _check_places(residue, source)
    for before, after in pairwise(residues):
        if before.chain != after.chain or "N" not in after.atoms:
            continue
        gap = float(np.linalg.norm(after.atoms["N"] - before.atoms["C"]))
        if gap > MAX_PEPTIDE_BOND_ANGSTROM:
            raise StructureError(
                f"{source}: the chain is broken between {before} and {after} "
                f"(C to N {gap:.1f} Angstrom). Model the missing residues first, or "
                "cut the chain there."
            )


def _check_places(residue: Residue, source: str) -> None:
    """Refuse atoms that lie on one point, or nowhere."""
    for (a, place), (b, other) in combinations(residue.atoms.items(), 2):
        apart = float(np.linalg.norm(place - other))
        if not apart > MIN_APART_ANGSTROM:
            raise StructureError(
                f"{source}: atoms {a} and {b} of residue {residue} are {apart:.2f} "
                "Angstrom apart; bonded atoms are 1.2 or more. Mend the coordinates."
            )


def _suggest(name: str) -> str:
    common = {"NLE": "LEU or MET", "MSE": "MET", "SEP": "SER", "TPO": "THR"}
    return common.get(name, "the one it was derived from")


def one_letter_sequence(residues: list[Residue]) -> str:
    """Return the one-letter sequence, caps left out."""
    names = (PROTONATION_VARIANTS.get(r.name, r.name) for r in residues)
    return "".join(THREE_TO_ONE[name] for name in names if name not in CAPS)


def format_pdb(residues: list[Residue]) -> str:
    """Return residues as PDB text, standard residue names, chains ended by TER."""
    lines: list[str] = []
    serial = 0
    for index, residue in enumerate(residues):
        name = PROTONATION_VARIANTS.get(residue.name, residue.name)
        for atom, (x, y, z) in residue.atoms.items():
            serial += 1
            label = atom if len(atom) == 4 else f" {atom:<3}"
            lines.append(
                f"ATOM  {serial:5d} {label} {name:>3} {residue.chain or 'A'}"
                f"{index + 1:4d}    {x:8.3f}{y:8.3f}{z:8.3f}  1.00  0.00"
                f"          {_element(atom):>2}"
            )
        is_last = index + 1 == len(residues)
        if is_last or residues[index + 1].chain != residue.chain:
            lines.append("TER")
    return "\n".join([*lines, "END", ""])


def _element(atom: str) -> str:
    return atom.lstrip("0123456789")[0]


def place_atom(
    a: Array, b: Array, c: Array, length: float, angle: float, torsion: float
) -> Array:
    """Return the position bonded to ``c``: |cd| Angstrom, angle bcd, torsion abcd.

    Angles in degrees; the natural extension reference frame of Parsons et al.,
    J. Comput. Chem. 26, 1063 (2005).
    """
    theta, phi = np.radians(180.0 - angle), np.radians(torsion)
    bc = (c - b) / np.linalg.norm(c - b)
    normal = np.cross(b - a, bc)
    normal /= np.linalg.norm(normal)
    frame = np.stack([bc, np.cross(normal, bc), normal], axis=1)
    local = np.array(
        [
            np.cos(theta),
            np.cos(phi) * np.sin(theta),
            np.sin(phi) * np.sin(theta),
        ]
    )
    placed: Array = c + length * frame @ local
    return placed


def measure_torsion(a: Array, b: Array, c: Array, d: Array) -> float:
    """Return the torsion abcd in degrees, -180 to 180, IUPAC sign."""
    axis = (c - b) / np.linalg.norm(c - b)
    first, last = a - b, d - c
    v = first - first @ axis * axis
    w = last - last @ axis * axis
    return float(np.degrees(np.arctan2(np.cross(axis, v) @ w, v @ w)))


def add_caps(residues: list[Residue]) -> list[Residue]:
    """Return a chain with an ACE before and an NME after it, both trans.

    ACE continues the backbone at the second residue's phi (-135 for one residue),
    NME stands opposite to the last carbonyl oxygen. Existing caps are kept.
    """
    capped = list(residues)
    if capped[0].name != "ACE":
        capped.insert(0, _build_ace(residues))
    if capped[-1].name != "NME":
        capped.append(_build_nme(capped.pop()))
        capped.insert(-1, _without(residues[-1], "OXT"))
    return capped


def _without(residue: Residue, atom: str) -> Residue:
    kept = {name: xyz for name, xyz in residue.atoms.items() if name != atom}
    return Residue(residue.name, residue.number, residue.chain, kept)


def _build_ace(residues: list[Residue]) -> Residue:
    first = residues[0].atoms
    phi = -135.0
    if len(residues) > 1:
        second = residues[1].atoms
        phi = measure_torsion(first["C"], second["N"], second["CA"], second["C"])
    c = place_atom(first["C"], first["CA"], first["N"], 1.335, 121.9, phi)
    o = place_atom(first["CA"], first["N"], c, 1.229, 122.9, 0.0)
    methyl = place_atom(first["CA"], first["N"], c, 1.522, 116.6, 180.0)
    atoms = {"CH3": methyl, "C": c, "O": o}
    return Residue("ACE", "0", residues[0].chain, atoms)


def _build_nme(last: Residue) -> Residue:
    atoms = last.atoms
    psi = 135.0
    if "O" in atoms:
        oxygen = measure_torsion(atoms["N"], atoms["CA"], atoms["C"], atoms["O"])
        psi = oxygen + 180.0
    n = place_atom(atoms["N"], atoms["CA"], atoms["C"], 1.335, 116.6, psi)
    methyl = place_atom(atoms["CA"], atoms["C"], n, 1.449, 121.9, 180.0)
    return Residue("NME", f"{last.number}+", last.chain, {"N": n, "C": methyl})
