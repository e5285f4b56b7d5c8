"""Residues under the names that amber14 knows them by; what a force field calls them.

A residue whose hydrogens say how it is protonated is named for it, caps that CHARMM
keeps inside a residue stand on their own, and replaced residues lose what their new
name has no place for.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Final

from apps.science.arrays import Array
from apps.science.errors import StructureError
from apps.science.systems.residues import (
    ATOM_NAMES,
    CAP_ATOMS,
    CAP_NAMES,
    HEAVY_ATOMS,
    REPLACED_ATOMS,
    RESIDUE_ATOM_NAMES,
    THREE_TO_ONE,
    TITRATION,
    VARIANTS,
)
from apps.science.systems.structure import Residue

_BETA: Final = frozenset({"HB1", "HB2", "HB3"})
"""Where these are, all of a residue's hydrogens are."""
_HISTIDINES: Final = {
    (True, True): "HIP", (True, False): "HID", (False, True): "HIE",
}  # fmt: skip
"""By the hydrogens at ND1 and at NE2."""


def rename_residues(
    residues: Sequence[Residue], replacements: Mapping[str, str], source: str
) -> tuple[list[Residue], list[str]]:
    """Return residues under amber14's names, and a sentence for each replaced kind.

    Raises
    ------
    StructureError
        If a residue's name and its hydrogens contradict each other, or a replacement
        names a residue that is not there.
    """
    renamed: list[Residue] = []
    replaced: dict[str, list[Residue]] = {}
    dropped: dict[str, set[str]] = {}
    for residue in residues:
        lost: set[str] = set()
        into = replacements.get(residue.name)
        if into is not None:
            replaced.setdefault(residue.name, []).append(residue)
            lost = dropped.setdefault(residue.name, lost)
        taken = residue if into is None else _replace(residue, into, lost)
        for part in _split_caps(_rename(taken)):
            renamed.append(_name_by_hydrogens(part, source))
    for name in replacements:
        if name not in replaced:
            raise StructureError(
                f"replace names {name}, and {source} has no such residue. Its name "
                "stands in columns 18 to 20 of the file; correct it, or leave it out."
            )
    said = []
    for name, found in replaced.items():
        gone = dropped[name]
        without = f", without {' '.join(sorted(gone))}" if gone else ""
        said.append(f"{', '.join(map(str, found))} as {replacements[name]}{without}")
    return renamed, said


def _replace(residue: Residue, into: str, lost: set[str]) -> Residue:
    names = REPLACED_ATOMS.get((residue.name, into), {})
    atoms = {names.get(k, ATOM_NAMES.get(k, k)): v for k, v in residue.atoms.items()}
    kept = {k: v for k, v in atoms.items() if k in (*HEAVY_ATOMS[into], "OXT")}
    lost |= atoms.keys() - kept.keys()
    return replace(residue, name=into, atoms=kept, hydrogens=frozenset(), hetero=False)


def _rename(residue: Residue) -> Residue:
    """Return a residue under its usual name, its heavy atoms too."""
    name = CAP_NAMES.get(residue.name, residue.name)
    if len(name) == 4 and name[0] in "NC" and _is_known(name[1:]):
        name = name[1:]  # Amber's NALA and CALA: where they stand says it as well
    if name in CAP_ATOMS:
        known = HEAVY_ATOMS[name]
        names = {k: v for k, v in CAP_ATOMS[name].items() if k not in known}
    elif _is_known(name):
        base = VARIANTS[name][0] if name in VARIANTS else name
        names = {**ATOM_NAMES, **RESIDUE_ATOM_NAMES.get(base, {})}
    else:
        return residue
    atoms: dict[str, Array] = {}
    for atom, place in residue.atoms.items():
        usual = names.get(atom, atom)
        atoms[atom if usual in residue.atoms or usual in atoms else usual] = place
    return replace(residue, name=name, atoms=atoms)


def _is_known(name: str) -> bool:
    return name in THREE_TO_ONE or name in VARIANTS


def _split_caps(residue: Residue) -> Iterator[Residue]:
    """Yield a residue without the caps that CHARMM's patches put inside it."""
    atoms = dict(residue.atoms)
    if not _is_known(residue.name):
        yield residue
        return
    if {"CAY", "CY", "OY"} <= atoms.keys():
        cap = {to: atoms.pop(of) for of, to in CAP_ATOMS["ACE"].items() if of in atoms
               and of != "CA"}  # fmt: skip
        yield replace(residue, name="ACE", atoms=cap, hydrogens=frozenset())
    end = None
    if {"NT", "CAT"} <= atoms.keys():
        end = ("NME", {"N": atoms.pop("NT"), "C": atoms.pop("CAT")})
    elif "NT" in atoms:
        end = ("NH2", {"N": atoms.pop("NT")})
    yield replace(residue, atoms=atoms)
    if end is not None:
        yield replace(residue, name=end[0], atoms=end[1], hydrogens=frozenset())


def _name_by_hydrogens(residue: Residue, source: str) -> Residue:
    """Return a residue under the name of the protonation that its hydrogens show."""
    if residue.base not in ("HIS", "ASP", "GLU", "LYS", "CYS"):
        return residue
    if residue.is_right_handed or not residue.hydrogens:
        return residue
    shown = _read_protonation(residue.base, residue.hydrogens)
    if shown is None:
        return residue
    if residue.variant is None:
        if residue.base == "CYS":
            return replace(residue, name="CYSH")
        return residue if shown == residue.base else replace(residue, name=shown)
    if shown != residue.variant:
        raise StructureError(
            f"{source}: residue {residue} is named {residue.name}, and its hydrogens "
            f"are those of {shown}. Name it {shown}, or remove its hydrogens."
        )
    return residue


def _read_protonation(base: str, hydrogens: frozenset[str]) -> str | None:
    """Return Amber's name of what the hydrogens show; None where they show nothing."""
    shown = None
    if base in TITRATION:
        names, protonated = TITRATION[base]
        if hydrogens & _BETA:
            shown = base
        if hydrogens & set(names):
            shown = protonated
    elif base == "HIS":
        at_nitrogens = ("HD1" in hydrogens, "HE2" in hydrogens)
        shown = _HISTIDINES.get(at_nitrogens)
    elif base == "LYS":
        n_amine = sum(name.startswith("HZ") for name in hydrogens)
        shown = {2: "LYN", 3: "LYS"}.get(n_amine)
    elif hydrogens & {"HG", "HG1"}:
        shown = "CYS"
    return shown
