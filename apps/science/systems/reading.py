"""From a structure file to the residues that are simulated; nothing goes unsaid."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from apps.science.errors import StructureError
from apps.science.systems.bonds import (
    Bridge,
    check_stated_bonds,
    find_bridges,
    name_thiolates,
)
from apps.science.systems.chains import (
    check_chains,
    check_charged_ends,
    check_state_at_ends,
    cut_chains,
    find_contacts,
)
from apps.science.systems.config import SystemConfig
from apps.science.systems.grouping import group_residues
from apps.science.systems.mmcif import read_mmcif
from apps.science.systems.pdb_lines import read_pdb_lines
from apps.science.systems.records import FileRecords
from apps.science.systems.refusals import refuse_unknown
from apps.science.systems.renaming import rename_residues
from apps.science.systems.residues import CAPS, WATERS
from apps.science.systems.source import is_mmcif, read_text
from apps.science.systems.structure import (
    Residue,
    add_caps,
    is_lone_ion,
    split_molecules,
)

_OVERLAP_ANGSTROM: Final = 0.8
_CLOSE_ANGSTROM: Final = 1.65
_MANY_CONTACTS: Final = 3
_MOST_SAID: Final = 8
_LEAVE_OUT: Final = re.compile(
    r"(?P<name>\S+)(\s+(?P<number>\S+?))?(\s+(of\s+)?chain\s+(?P<chain>\S+))?", re.I
)


@dataclass(frozen=True)
class Structure:
    """What was taken from a file, and what was not.

    Attributes
    ----------
    residues : chains one after the other, then the ions
    bridges : disulfide bridges, as places in ``residues``
    left_out : the residues that campaign.yaml leaves out
    n_waters : waters, which the solvent replaces
    remarks : sentences on what was decided, under a heading each
    """

    residues: list[Residue]
    bridges: list[Bridge]
    left_out: list[Residue] = field(default_factory=list)
    n_waters: int = 0
    remarks: dict[str, str] = field(default_factory=dict)


def read_records(path: Path, model: int | None = None) -> FileRecords:
    """Return the atoms and bonds of a PDB or mmCIF file, which may be packed.

    Raises
    ------
    StructureError
        If the file cannot be read, or holds no atom.
    """
    text = read_text(path)
    read = read_mmcif if is_mmcif(text) else read_pdb_lines
    records = read(path, text, model)
    if not records.atoms:
        raise StructureError(
            f"{path} holds no protein: no ATOM record with a residue was found. "
            "Give a PDB or mmCIF file with at least one chain."
        )
    return records


def read_pdb(path: Path) -> list[Residue]:
    """Return the heavy atoms of the chains of a file's first model, without checks.

    Water, and HETATM groups that are no residue of a chain (ligands, ions), are left
    out. Residues keep the names of the file.

    Raises
    ------
    StructureError
        If the file cannot be read, or holds no residue of a chain.
    """
    grouped = group_residues(read_records(path).atoms, str(path))
    residues = [
        r
        for r in grouped.residues
        if r.name not in WATERS
        and not is_lone_ion(r)
        and (not r.hetero or r.name in CAPS or {"N", "CA"} <= set(r.atoms))
    ]
    if not residues:
        raise StructureError(
            f"{path} holds no protein: no ATOM record with a residue was found. "
            "Give a PDB or mmCIF file with at least one chain."
        )
    return residues


def read_structure(path: Path, config: SystemConfig) -> Structure:
    """Return what is simulated of a structure file.

    Raises
    ------
    StructureError
        If the file says something that can neither be kept nor, by the settings, be
        left out.
    """
    source = str(path)
    records = read_records(path, config.model)
    grouped = group_residues(records.atoms, source, config.conformer)
    wanted, left_out = _leave_out(grouped.residues, config.leave_out, source)
    waters = [r for r in wanted if r.name in WATERS]
    wanted = [r for r in wanted if r.name not in WATERS]
    wanted, replaced = rename_residues(wanted, config.replace, source)
    refuse_unknown(wanted, config, source)
    ions = [r for r in wanted if is_lone_ion(r)]
    residues = cut_chains([r for r in wanted if not is_lone_ion(r)], source)
    if not residues:
        raise StructureError(
            f"{source} holds no protein: it has {len(waters)} waters and {len(ions)} "
            "ions, and no amino acid. Give a file with at least one chain."
        )
    n_chains = residues[-1].molecule + 1
    check_chains(residues, source)
    _refuse_free_amino_acids(residues, config, source)
    bridges = find_bridges(residues, source)
    residues = name_thiolates(residues, bridges)
    check_state_at_ends(add_caps(residues) if config.caps else residues, source)
    if not config.caps:
        check_charged_ends(residues, source)
    residues += [_number_apart(ion, n_chains + k) for k, ion in enumerate(ions)]
    held = check_stated_bonds(residues, records.bonds, bridges, source)
    close = _check_contacts(residues, source)
    remarks = {
        "Model": _say_model(records),
        "Conformers": _join(grouped.conformers),
        "Replaced": "; ".join(replaced),
        "Bonds to ions": _join(held),
        "Close contacts": _join(close),
        "Deuterium": f"{grouped.n_deuterium} atoms, simulated as hydrogen"
        if grouped.n_deuterium
        else "",
        "Occupancy": f"{grouped.n_unoccupied} heavy atoms of occupancy 0 are taken"
        if grouped.n_unoccupied
        else "",
        "Not seen": f"{records.n_unseen} residues that the file names and gives no "
        "coordinates of are not built"
        if records.n_unseen
        else "",
    }
    said = {key: text for key, text in remarks.items() if text}
    return Structure(residues, bridges, left_out, len(waters), said)


def _number_apart(ion: Residue, molecule: int) -> Residue:
    return replace(ion, molecule=molecule)


def _leave_out(
    residues: Sequence[Residue], entries: Sequence[str], source: str
) -> tuple[list[Residue], list[Residue]]:
    """Return the residues that stay, and those that an entry names."""
    gone: set[int] = set()
    for entry in entries:
        found = {i for i, r in enumerate(residues) if _is_named(entry, r)}
        if not found:
            raise StructureError(
                f"leave_out names {entry!r}, which {source} does not hold. Write a "
                "residue name (ZN), a residue (GLY 301 of chain A) or chain B."
            )
        gone |= found
    return (
        [r for i, r in enumerate(residues) if i not in gone],
        [r for i, r in enumerate(residues) if i in gone],
    )


def _is_named(entry: str, residue: Residue) -> bool:
    words = entry.split()
    if len(words) == 2 and words[0].lower() == "chain":
        return residue.chain == words[1]
    found = _LEAVE_OUT.fullmatch(entry.strip())
    if found is None:
        return False
    asked = found.groupdict()
    return (
        residue.name == asked["name"].upper()
        and asked["number"] in (None, residue.number)
        and asked["chain"] in (None, residue.chain)
    )


def _refuse_free_amino_acids(
    residues: Sequence[Residue], config: SystemConfig, source: str
) -> None:
    """Refuse single amino acids with charged ends, which amber14 cannot describe."""
    chains = split_molecules(residues)
    n_chains = len(chains)
    for chain in chains:
        residue = chain[0]
        if len(chain) > 1 or (config.caps and n_chains == 1):
            continue
        if n_chains == 1:
            raise StructureError(
                f"{source}: {residue} is a single residue with charged ends, which "
                "amber14 does not describe. Give caps: true."
            )
        raise StructureError(
            f"{source}: {residue} is an amino acid by itself, a ligand, which amber14 "
            "does not describe. Leave it out in campaign.yaml (leave_out: "
            f"['{residue}']), or remove it from the file."
        )


def _check_contacts(residues: Sequence[Residue], source: str) -> list[str]:
    """Return a sentence for each pair of atoms as near as if they were bonded."""
    said = []
    between: dict[tuple[int, int], int] = {}
    for apart, one, a, two, b in find_contacts(residues, _CLOSE_ANGSTROM):
        if apart < _OVERLAP_ANGSTROM:
            raise StructureError(
                f"{source}: atom {a} of {one} and atom {b} of {two} lie on top of each "
                f"other ({apart:.2f} Angstrom). Two copies of a chain are in one "
                "place, or the coordinates are wrong: remove one, or move them apart."
            )
        pair = (one.molecule, two.molecule)
        between[pair] = between.get(pair, 0) + 1
        if one.molecule != two.molecule and between[pair] >= _MANY_CONTACTS:
            raise StructureError(
                f"{source}: the chains of {one} and {two} run through each other: "
                f"{a} and {b} are {apart:.2f} Angstrom apart, and others as near. "
                "Move the chains apart, or leave one out."
            )
        said.append(
            f"{a} of {one} and {b} of {two} are {apart:.2f} Angstrom apart and not "
            "bonded"
        )
    return said


def _join(sentences: Sequence[str]) -> str:
    more = len(sentences) - _MOST_SAID
    said = [*sentences[:_MOST_SAID], *([f"and {more} more"] if more > 0 else [])]
    return "; ".join(said)


def _say_model(records: FileRecords) -> str:
    if len(records.models) < 2:
        return ""
    return f"{records.model} (of {len(records.models)} in the file)"
