"""Bonds beyond the chain: disulfide bridges are kept, all others are refused."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations
from typing import Final

import numpy as np

from apps.science.errors import StructureError
from apps.science.systems.records import AtomKey, BondRecord
from apps.science.systems.structure import Residue, is_lone_ion

BRIDGE_ANGSTROM: Final = 3.0
"""OpenMM bonds two sulphurs that are nearer than this."""
_THIOL: Final = ("CYSH", "CYN")

Bridge = tuple[int, int]


def find_bridges(residues: Sequence[Residue], source: str) -> list[Bridge]:
    """Return the disulfide bridges, as pairs of places in ``residues``.

    Raises
    ------
    StructureError
        If a sulphur has two partners, a CYX none, or a thiol one.
    """
    sulphurs = [
        i for i, r in enumerate(residues) if r.base == "CYS" and "SG" in r.atoms
    ]
    pairs: list[Bridge] = []
    for i, j in combinations(sulphurs, 2):
        one, two = residues[i], residues[j]
        apart = float(np.linalg.norm(one.atoms["SG"] - two.atoms["SG"]))
        if apart >= BRIDGE_ANGSTROM:
            continue
        for residue in (one, two):
            if residue.name in _THIOL or residue.variant == "CYM":
                state = "without its hydrogen" if residue.variant == "CYM" else "with "
                state += "" if residue.variant == "CYM" else "its hydrogen"
                raise StructureError(
                    f"{source}: the sulphurs of {one} and {two} are {apart:.2f} "
                    f"Angstrom apart, a disulfide bridge, and {residue} is there as a "
                    f"cysteine {state}. Name it CYX (a bridge) without HG, or move "
                    "them apart."
                )
        pairs.append((i, j))
    for i in sulphurs:
        mine = [p for p in pairs if i in p]
        if len(mine) > 1:
            raise StructureError(
                f"{source}: the sulphur of {residues[i]} is within "
                f"{BRIDGE_ANGSTROM:g} Angstrom of {len(mine)} others. A disulfide "
                "bridge has two ends: mend the coordinates."
            )
        if residues[i].variant == "CYX" and not mine:
            raise StructureError(
                f"{source}: {residues[i]} is in a disulfide bridge by its name, and no "
                f"other sulphur is within {BRIDGE_ANGSTROM:g} Angstrom. Name it CYS, "
                "or mend the coordinates."
            )
    return pairs


def name_thiolates(
    residues: Sequence[Residue], bridges: Sequence[Bridge]
) -> list[Residue]:
    """Return residues, a cysteine whose hydrogens are there but for HG as CYM."""
    bridged = {i for pair in bridges for i in pair}
    return [
        replace(residue, name="CYM")
        if residue.name == "CYS"
        and i not in bridged
        and {"HB2", "HB3"} & residue.hydrogens
        and not {"HG", "HG1"} & residue.hydrogens
        else residue
        for i, residue in enumerate(residues)
    ]


def check_stated_bonds(
    residues: Sequence[Residue],
    stated: Sequence[BondRecord],
    bridges: Sequence[Bridge],
    source: str,
) -> list[str]:
    """Return a sentence for each stated bond that is kept in another form.

    Bonds to residues that are not there (left out, water) say nothing.

    Raises
    ------
    StructureError
        If the file states a bond that weft would not build.
    """
    said = []
    places: dict[tuple[str, str], list[int]] = {}
    for place, residue in enumerate(residues):
        places.setdefault((residue.chain, residue.number), []).append(place)
    for bond in stated:
        found = _find_nearest(residues, places, bond)
        if found is None:
            continue
        i, j, apart = found
        one, two = residues[i], residues[j]
        names = f"{bond.one[3]} of {one} to {bond.two[3]} of {two}"
        if bond.elsewhere:
            raise StructureError(
                f"{source}: {bond.kind} bonds {names} in another copy of the crystal, "
                "and weft simulates one copy. Give both in one file, or remove the "
                f"{bond.kind} line."
            )
        if i == j or tuple(sorted((i, j))) in bridges or _is_peptide(residues, i, j):
            continue
        if is_lone_ion(one) or is_lone_ion(two):
            if bond.kind != "CONECT":
                said.append(f"{names}: held by charges only, not by a bond")
            continue
        raise StructureError(
            f"{source}: {bond.kind} bonds {names} ({apart:.2f} Angstrom), and weft "
            "builds no such bond: it would cut it. Only chains and disulfide bridges "
            f"(below {BRIDGE_ANGSTROM:g} Angstrom) are kept. Remove the bond from the "
            "file if it shall not be there, or leave a residue out."
        )
    return said


def _find_nearest(
    residues: Sequence[Residue],
    places: dict[tuple[str, str], list[int]],
    bond: BondRecord,
) -> tuple[int, int, float] | None:
    """Return the residues a bond joins, the nearest where numbers come twice."""
    best: tuple[int, int, float] | None = None
    one, two = bond.one, bond.two
    for i in _find(residues, places, one):
        for j in _find(residues, places, two):
            apart = float(
                np.linalg.norm(residues[i].atoms[one[3]] - residues[j].atoms[two[3]])
            )
            if best is None or apart < best[2]:
                best = (i, j, apart)
    return best


def _find(
    residues: Sequence[Residue], places: dict[tuple[str, str], list[int]], key: AtomKey
) -> list[int]:
    """Return the residues of an atom's number; by name too, where it is still that."""
    found = [i for i in places.get(key[:2], ()) if key[3] in residues[i].atoms]
    base = Residue(key[2], key[1], key[0]).base
    return [i for i in found if residues[i].base == base] or found


def _is_peptide(residues: Sequence[Residue], i: int, j: int) -> bool:
    return abs(i - j) == 1 and residues[i].molecule == residues[j].molecule
