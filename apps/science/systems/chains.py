"""Where chains begin and end, and what no chain may have."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import combinations
from typing import Final

import numpy as np

from apps.science.errors import StructureError
from apps.science.systems.residues import (
    CAPS,
    END_CAPS,
    HEAVY_ATOMS,
    L_TO_D,
    ONLY_INSIDE,
    START_CAPS,
)
from apps.science.systems.structure import Residue, split_molecules

MIN_APART_ANGSTROM: Final = 0.5
MAX_PEPTIDE_BOND_ANGSTROM: Final = 2.5
"""A longer C to N distance between neighbours in a file means missing residues."""
_BONDED_ANGSTROM: Final = 1.7
_AMINE: Final = frozenset({"H", "H1", "H2", "H3", "HT1", "HT2", "HT3", "HN1", "HN2"})
_FLAT_ANGSTROM3: Final = 0.3
"""Of the volume spanned by N, C and CB about CA, 2.6 where they are well placed."""


def cut_chains(residues: Sequence[Residue], source: str) -> list[Residue]:
    """Return residues with the chain each is in, chains in the order of the file.

    A chain ends at a TER, at another chain letter, segment or cap, at an atom OXT,
    and where numbers go back and no bond leads on.

    Raises
    ------
    StructureError
        If a chain is interrupted, or is said to end within a peptide bond.
    """
    groups: dict[tuple[object, ...], list[Residue]] = {}
    for residue in residues:
        groups.setdefault((residue.part, residue.chain), []).append(residue)
    cut: list[Residue] = []
    molecule = 0
    before: Residue | None = None
    ordered = [r for group in groups.values() for r in group]
    for residue, following in zip(ordered, [*ordered[1:], None], strict=True):
        alone = following is None or (
            _bond_length(residue, following) > MAX_PEPTIDE_BOND_ANGSTROM
        )
        if before is not None and not _continues(before, residue, alone, source):
            molecule += 1
        cut.append(replace(residue, molecule=molecule))
        before = residue
    return cut


def _continues(before: Residue, after: Residue, alone: bool, source: str) -> bool:
    """Say whether ``after`` is the next residue of the chain of ``before``.

    Parameters
    ----------
    alone : whether no residue is bonded to the end of ``after``
    """
    gap = _bond_length(before, after)
    if before.name in END_CAPS or after.name in START_CAPS:
        return False
    if after.name in END_CAPS and gap <= _BONDED_ANGSTROM:
        return True  # some programs write it after the TER
    parted = before.part != after.part or before.chain != after.chain
    if gap <= _BONDED_ANGSTROM and parted:
        what = "a TER" if before.part != after.part else "another chain letter"
        raise StructureError(
            f"{source}: {what} parts {before} from {after}, and a peptide bond joins "
            f"them (C to N {gap:.2f} Angstrom). Remove it, or move the chains apart."
        )
    if parted:
        return False
    if gap <= MAX_PEPTIDE_BOND_ANGSTROM and "OXT" not in before.atoms:
        return True
    said_to_end = (
        "OXT" in before.atoms
        or before.segment != after.segment
        or (after.hetero and alone)
        or _goes_back(before, after)
    )
    if said_to_end and gap > MAX_PEPTIDE_BOND_ANGSTROM:
        return False
    if "OXT" in before.atoms:
        raise StructureError(
            f"{source}: residue {before} has the end atom OXT, and {after} follows "
            f"within a bond ({gap:.2f} Angstrom). Remove OXT, or move the chains apart."
        )
    raise StructureError(
        f"{source}: the chain is broken between {before} and {after} "
        f"(C to N {gap:.1f} Angstrom). Model the missing residues first, make the "
        "molecule whole if a periodic box cut it, or cut the chain there: a TER line "
        "between them makes two chains of it."
    )


def _bond_length(before: Residue, after: Residue) -> float:
    if "C" not in before.atoms or "N" not in after.atoms or before.name in END_CAPS:
        return np.inf
    return float(np.linalg.norm(after.atoms["N"] - before.atoms["C"]))


def _goes_back(before: Residue, after: Residue) -> bool:
    numbers = [
        r.number if r.number.lstrip("-").isdigit() else r.number[:-1]
        for r in (before, after)
    ]
    if not all(n.lstrip("-").isdigit() for n in numbers):
        return False
    return int(numbers[1]) < int(numbers[0])


def check_chains(residues: Sequence[Residue], source: str) -> None:
    """Refuse chains that amber14 cannot describe as they stand.

    Raises
    ------
    StructureError
        Naming the residue and its number.
    """
    for residue in residues:
        _check_atoms(residue, source)
        _check_places(residue, source)
        _check_hand(residue, source)
    for chain in split_molecules(residues):
        _check_ends(chain, source)
        _check_ring(chain, source)


def _check_atoms(residue: Residue, source: str) -> None:
    known = HEAVY_ATOMS[residue.base]
    needed = known if residue.name in CAPS else ("N", "CA", "C")
    missing = [atom for atom in needed if atom not in residue.atoms]
    if missing:
        raise StructureError(
            f"{source}: residue {residue} lacks its backbone atom {missing[0]}. "
            "Side-chain atoms can be rebuilt, the backbone cannot: complete it."
        )
    extra = [atom for atom in residue.atoms if atom not in (*known, "OXT")]
    if extra:
        raise StructureError(
            f"{source}: residue {residue} has the atoms {' '.join(extra)}, which "
            f"{residue.base} does not have in amber14 ({' '.join(known)}). Name them "
            "as in the PDB; if it is a modified residue, give it that one's name."
        )
    lacking = set(known) - set(residue.atoms)
    if residue.is_right_handed and lacking:
        raise StructureError(
            f"{source}: residue {residue} lacks {' '.join(sorted(lacking))}. Missing "
            "atoms are rebuilt for L residues only: complete it."
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


def measure_hand(residue: Residue) -> float:
    """Return the volume of N, C and CB about CA, Angstrom^3: 2.6 for L, -2.6 for D.

    Nought for glycine, and where an atom is missing.
    """
    if not {"N", "CA", "C", "CB"} <= residue.atoms.keys():
        return 0.0
    at = residue.atoms
    return float(np.linalg.det([at[k] - at["CA"] for k in ("N", "C", "CB")]))


def measure_branch(residue: Residue) -> float:
    """Return the same about CB of ILE and THR; nought for others."""
    around = {"ILE": ("CG1", "CG2", "CA"), "THR": ("OG1", "CG2", "CA")}
    names = around.get(residue.base, ())
    if not names or not {*names, "CB"} <= residue.atoms.keys():
        return 0.0
    at = residue.atoms
    return float(np.linalg.det([at[k] - at["CB"] for k in names]))


def is_allo(residue: Residue) -> bool:
    """Say whether the side chain of an ILE or THR is mirrored at its CB."""
    sign = -1.0 if residue.is_right_handed else 1.0
    return measure_branch(residue) * sign < -_FLAT_ANGSTROM3


def _check_hand(residue: Residue, source: str) -> None:
    """Refuse residues whose names and coordinates are of different hands."""
    sign = -1.0 if residue.is_right_handed else 1.0
    if measure_hand(residue) * sign < -_FLAT_ANGSTROM3:
        found, named = ("D", "L") if sign > 0 else ("L", "D")
        other = L_TO_D.get(residue.base) if sign > 0 else residue.base
        raise StructureError(
            f"{source}: residue {residue} has the coordinates of a {found} amino acid "
            f"and the name of the {named} form: the structure is mirrored, or the "
            f"residue is {other}. Mirror it back, or give it that name."
        )


def _check_ends(chain: Sequence[Residue], source: str) -> None:
    amino = [r for r in chain if r.is_amino_acid]
    if not amino:
        raise StructureError(
            f"{source}: {' and '.join(map(str, chain))} caps no residue. Remove it, or "
            f"leave it out (leave_out: ['{chain[0]}'])."
        )
    for residue in chain[:-1]:
        if "OXT" in residue.atoms:
            raise StructureError(
                f"{source}: residue {residue} has the end atom OXT and is followed by "
                f"{chain[-1]}. Remove OXT, or the cap."
            )


def check_charged_ends(residues: Sequence[Residue], source: str) -> None:
    """Refuse ends whose hydrogens say that they are neutral.

    Raises
    ------
    StructureError
        Naming the residue.
    """
    for chain in split_molecules(residues):
        first, last = chain[0], chain[-1]
        amine = sorted(first.hydrogens & _AMINE)
        if first.is_amino_acid and first.base != "PRO" and len(amine) == 2:
            end, found = first, f"an amine without charge ({' '.join(amine)})"
        elif last.is_amino_acid and "HXT" in last.hydrogens:
            end, found = last, "an acid without charge (HXT)"
        else:
            continue
        raise StructureError(
            f"{source}: {end} ends its chain with {found}, and amber14 has charged "
            "ends only. Remove these hydrogens for a charged end, or give caps: true."
        )


def _check_ring(chain: Sequence[Residue], source: str) -> None:
    """Refuse a chain whose end is bonded to its start."""
    first, last = chain[0], chain[-1]
    if len(chain) > 2 and _bond_length(last, first) <= _BONDED_ANGSTROM:
        raise StructureError(
            f"{source}: the chain is a ring: C of {last} is bonded to N of {first}. "
            "weft describes open chains only, and would open it. Give an open chain, "
            "or one closed by a disulfide bridge."
        )


def check_state_at_ends(residues: Sequence[Residue], source: str) -> None:
    """Refuse protonation states that amber14 has only inside a chain, at its ends.

    Raises
    ------
    StructureError
        Naming the residue.
    """
    for chain in split_molecules(residues):
        for end in (chain[0], chain[-1]):
            if end.variant in ONLY_INSIDE:
                raise StructureError(
                    f"{source}: {end} stands at a charged end of its chain, where "
                    f"amber14 has no {end.variant}. Give caps: true, or name it "
                    f"{end.base}."
                )


def find_contacts(
    residues: Sequence[Residue], within: float
) -> Iterator[tuple[float, Residue, str, Residue, str]]:
    """Yield atoms of residues that are no neighbours, closer than ``within`` Angstrom.

    Peptide bonds and disulfide bridges are left out.
    """
    from scipy.spatial import cKDTree

    owners = [(i, name) for i, r in enumerate(residues) for name in r.atoms]
    points = np.array([xyz for r in residues for xyz in r.atoms.values()])
    for a, b in sorted(cKDTree(points).query_pairs(within)):
        (i, one), (j, two) = owners[a], owners[b]
        if i == j or (one == two == "SG"):
            continue
        if abs(i - j) == 1 and residues[i].molecule == residues[j].molecule:
            continue
        apart = float(np.linalg.norm(points[a] - points[b]))
        yield apart, residues[i], one, residues[j], two
