"""Chains of heavy atoms: capped, measured, written as PDB text.

Kept apart from OpenMM so that ``weft validate`` can name a bad residue in well under
a second.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby
from string import ascii_lowercase, ascii_uppercase, digits

import numpy as np

from apps.science.arrays import Array
from apps.science.errors import StructureError
from apps.science.systems.residues import (
    CAPS,
    D_NAMES,
    END_CAPS,
    IONS,
    PROTONATION_VARIANTS,
    START_CAPS,
    THREE_TO_ONE,
    VARIANTS,
)

_LEAST_ANGSTROM, _MOST_ANGSTROM = -999.0, 9999.0
_LETTERS = ascii_uppercase + ascii_lowercase + digits


@dataclass(frozen=True)
class Residue:
    """One residue and its heavy atoms, name to (3,) Angstrom.

    Attributes
    ----------
    number : as in the file, with the insertion code: "52A"
    hydrogens : names of the hydrogens that the file has; they are placed anew
    hetero : whether the file calls it HETATM
    segment, part : what else parts chains in a file: its segment, the ends before it
    molecule : which chain of the structure it is in, counted from 0
    """

    name: str
    number: str
    chain: str
    atoms: dict[str, Array] = field(default_factory=dict)
    hydrogens: frozenset[str] = frozenset()
    hetero: bool = False
    segment: str = ""
    part: int = 0
    molecule: int = 0

    @property
    def base(self) -> str:
        """The standard residue that it is a form of: HIS for HIP, ALA for DAL."""
        base = PROTONATION_VARIANTS.get(self.name, self.name)
        return D_NAMES.get(base, base)

    @property
    def variant(self) -> str | None:
        """Amber's name of the protonation state that is asked for; None for any."""
        return VARIANTS[self.name][1] if self.name in VARIANTS else None

    @property
    def is_amino_acid(self) -> bool:
        """Whether it is one of the 20, in any protonation state, of either hand."""
        return self.base in THREE_TO_ONE

    @property
    def is_right_handed(self) -> bool:
        """Whether its name says D."""
        return self.name in D_NAMES

    def __str__(self) -> str:
        """Return the residue as a person would look for it in the file."""
        chain = f" of chain {self.chain}" if self.chain.strip() else ""
        return f"{self.name} {self.number}{chain}"


def split_molecules(residues: Sequence[Residue]) -> list[list[Residue]]:
    """Return the residues chain by chain."""
    return [list(group) for _, group in groupby(residues, key=lambda r: r.molecule)]


def one_letter_sequence(residues: Sequence[Residue]) -> str:
    """Return the one-letter sequence, caps and ions left out."""
    return "".join(THREE_TO_ONE[r.base] for r in residues if r.is_amino_acid)


def format_pdb(residues: Sequence[Residue]) -> str:
    """Return residues as PDB text, standard residue names, chains ended by TER.

    Raises
    ------
    StructureError
        If an atom is too far from the origin for the columns of a PDB file.
    """
    lines: list[str] = []
    letters = _choose_letters(residues)
    serial = 0
    for index, residue in enumerate(residues):
        is_ion = is_lone_ion(residue)
        name = IONS[residue.name].upper() if is_ion else residue.base
        for atom, (x, y, z) in residue.atoms.items():
            if not _LEAST_ANGSTROM < min(x, y, z) <= max(x, y, z) < _MOST_ANGSTROM:
                raise StructureError(
                    f"Atom {atom} of {residue} is at {x:.1f} {y:.1f} {z:.1f} Angstrom; "
                    f"coordinates go from {_LEAST_ANGSTROM:g} to {_MOST_ANGSTROM:g}. "
                    "Move the structure to the origin, or take a shorter chain."
                )
            serial += 1
            element = IONS[residue.name] if is_ion else _element(atom)
            label = name if is_ion else atom
            label = label if len(label) == 4 or len(element) == 2 else f" {label}"
            lines.append(
                f"{'HETATM' if is_ion else 'ATOM  '}{serial % 100000:5d} {label:<4} "
                f"{name:>3} {letters[residue.molecule]}{(index + 1) % 10000:4d}    "
                f"{x:8.3f}{y:8.3f}{z:8.3f}  1.00  0.00          {element.upper():>2}"
            )
        is_last = index + 1 == len(residues)
        if is_last or _is_apart(residue, residues[index + 1]):
            lines.append("TER")
    return "\n".join([*lines, "END", ""])


def _choose_letters(residues: Sequence[Residue]) -> dict[int, str]:
    """Return one letter a chain: its own, or a free one where two share theirs."""
    letters: dict[int, str] = {}
    for chain in split_molecules(residues):
        own = chain[0].chain or "A"
        if len(own) > 1 or (own in letters.values() and not is_lone_ion(chain[0])):
            own = next((k for k in _LETTERS if k not in letters.values()), "A")
        letters[chain[0].molecule] = own
    return letters


def _is_apart(before: Residue, after: Residue) -> bool:
    return before.chain != after.chain or before.molecule != after.molecule


def is_lone_ion(residue: Residue) -> bool:
    """Say whether it is a monatomic ion that amber14 knows."""
    return residue.name in IONS and len(residue.atoms) == 1


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


def add_caps(
    residues: Sequence[Residue], start: bool = True, end: bool = True
) -> list[Residue]:
    """Return every chain with an ACE before and an NME after it, both trans.

    ACE continues the backbone at the second residue's phi (-135 for one residue),
    NME stands opposite to the last carbonyl oxygen. Existing caps are kept; ions are
    left as they are.
    """
    capped: list[Residue] = []
    for chain in split_molecules(residues):
        if not any(r.is_amino_acid for r in chain):
            capped += chain
            continue
        if start and chain[0].name not in START_CAPS:
            capped.append(_build_ace(chain))
        if end and chain[-1].name not in END_CAPS:
            last = chain[-1]
            capped += [*chain[:-1], _without(last, "OXT"), _build_nme(last)]
        else:
            capped += chain
    return capped


def _without(residue: Residue, atom: str) -> Residue:
    kept = {name: xyz for name, xyz in residue.atoms.items() if name != atom}
    return replace(residue, atoms=kept)


def _build_ace(residues: Sequence[Residue]) -> Residue:
    first = residues[0].atoms
    phi = -135.0
    if len(residues) > 1 and residues[1].name not in CAPS:
        second = residues[1].atoms
        phi = measure_torsion(first["C"], second["N"], second["CA"], second["C"])
    c = place_atom(first["C"], first["CA"], first["N"], 1.335, 121.9, phi)
    o = place_atom(first["CA"], first["N"], c, 1.229, 122.9, 0.0)
    methyl = place_atom(first["CA"], first["N"], c, 1.522, 116.6, 180.0)
    atoms = {"CH3": methyl, "C": c, "O": o}
    return Residue("ACE", "0", residues[0].chain, atoms, molecule=residues[0].molecule)


def _build_nme(last: Residue) -> Residue:
    atoms = last.atoms
    psi = 135.0
    if "O" in atoms:
        oxygen = measure_torsion(atoms["N"], atoms["CA"], atoms["C"], atoms["O"])
        psi = oxygen + 180.0
    n = place_atom(atoms["N"], atoms["CA"], atoms["C"], 1.335, 116.6, psi)
    methyl = place_atom(atoms["CA"], atoms["C"], n, 1.449, 121.9, 180.0)
    return Residue(
        "NME", f"{last.number}+", last.chain, {"N": n, "C": methyl},
        molecule=last.molecule,
    )  # fmt: skip
