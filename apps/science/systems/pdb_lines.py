"""The lines of a PDB file as records of atoms and bonds; columns as in format 3.3."""

from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import Final

import numpy as np

from apps.science.errors import StructureError
from apps.science.systems.records import (
    AtomKey,
    AtomRecord,
    BondRecord,
    FileRecords,
    name_atom,
)
from apps.science.systems.superpose import superposed_rmsd

_MOVED_ANGSTROM: Final = 3.0
_RIGID_ANGSTROM: Final = 0.02
"""Models of an assembly lie so far apart, and differ by so little in shape."""
_NOT_COPIED: Final = ("", "1555")
"""Symmetry operators of the atoms in the file itself."""


def read_pdb_lines(path: Path, text: str, model: int | None = None) -> FileRecords:
    """Read the atoms of one model of a PDB file, the first where none is asked for.

    Raises
    ------
    StructureError
        If the model does not exist, or a line cannot be read.
    """
    lines = text.splitlines()
    models, bounds = _find_models(lines)
    chosen = 0
    if model is not None:
        if str(model) not in (models or ["1"]):
            raise StructureError(
                f"{path} has no model {model}: found {', '.join(models) or 'only one'}."
                " Choose one of them as model."
            )
        chosen = models.index(str(model)) if models else 0
    begin, end = bounds[chosen]
    atoms = list(_read_atoms(path, lines, begin, end))
    if model is None and len(models) > 1:
        _refuse_assembly(path, atoms, list(_read_atoms(path, lines, *bounds[1])))
    return FileRecords(
        atoms,
        [*_read_named_bonds(lines), *_read_conect(lines, atoms)],
        models,
        models[chosen] if models else "",
        _count_unseen(lines, atoms),
    )


def _find_models(lines: list[str]) -> tuple[list[str], list[tuple[int, int]]]:
    """Return the models' numbers and the lines each begins and ends at."""
    names: list[str] = []
    bounds: list[tuple[int, int]] = []
    begin = 0
    for index, line in enumerate(lines):
        kind = line[:6].strip().upper()
        if kind == "MODEL":
            names.append(line[6:].strip() or str(len(names) + 1))
            begin = index
        elif kind == "ENDMDL":
            bounds.append((begin, index))
            begin = index + 1
    if not names or len(bounds) < len(names):
        bounds.append((begin, len(lines)))
    if not names:
        bounds = _find_frames(lines, ("ENDMDL", "END"))
        if len(bounds) > 1:
            names = [str(k + 1) for k in range(len(bounds))]
    return names, bounds


def _find_frames(lines: list[str], ends: tuple[str, ...]) -> list[tuple[int, int]]:
    """Return where the frames of one set of atoms begin and end, parted by END.

    Parts of different atoms are no frames: then all lines are one.
    """
    bounds: list[tuple[int, int]] = []
    begin = 0
    for index, line in enumerate([*lines, "END"]):
        if line[:6].strip().upper() in ends:
            if any(map(_is_atom, lines[begin:index])):
                bounds.append((begin, index))
            begin = index + 1
    frames = [[ln[12:27] for ln in lines[i:j] if _is_atom(ln)] for i, j in bounds]
    if len(frames) < 2 or any(frame != frames[0] for frame in frames):
        return [(0, len(lines))]
    return bounds


def _refuse_assembly(path: Path, one: list[AtomRecord], two: list[AtomRecord]) -> None:
    """Refuse models that are parts of one assembly, and no views of one molecule."""
    same = [name_atom(a) for a in one] == [name_atom(a) for a in two]
    moved, apart = 0.0, 1.0
    if same and one:
        places = [np.array([a.position for a in atoms]) for atoms in (one, two)]
        moved = float(np.linalg.norm(places[1].mean(axis=0) - places[0].mean(axis=0)))
        apart = float(superposed_rmsd(places[1][None], places[0])[0])
    if same and (moved < _MOVED_ANGSTROM or apart > _RIGID_ANGSTROM):
        return
    what = "lie apart and are one rigid shape" if same else "hold different atoms"
    raise StructureError(
        f"{path}: its first two models {what}, as the parts of an assembly do; weft "
        "takes one model. Write the parts as chains of one model, or say which to "
        "take in campaign.yaml: model: 1."
    )


def _is_atom(line: str) -> bool:
    start = line[:6].upper()
    return start.startswith(("ATOM  ", "HETATM")) or (
        start.startswith("ATOM") and not start[4:6].strip().isalpha()
    )


def _read_atoms(
    path: Path, lines: list[str], begin: int, end: int
) -> Iterator[AtomRecord]:
    part = 0
    for index in range(begin, end):
        line = lines[index]
        if line[:6].strip().upper() in ("TER", "END"):
            part += 1
        elif _is_atom(line):
            yield _read_atom(path, index + 1, line, part)


def _read_atom(path: Path, number: int, line: str, part: int) -> AtomRecord:
    if "\t" in line:
        raise StructureError(
            f"{path} cannot be read as PDB: line {number} has tabs between its values. "
            "PDB has fixed columns of blanks: write the file again with the program "
            "it came from, or with one that keeps columns."
        )
    try:
        position = np.array([float(line[k : k + 8]) for k in (30, 38, 46)])
    except ValueError:
        raise StructureError(
            f"{path} cannot be read as PDB: line {number} has no coordinates in "
            f"columns 31 to 54 ({line[:54].rstrip()!r}). Mend the file."
        ) from None
    if not np.isfinite(position).all():
        raise StructureError(
            f"{path}: line {number} places its atom nowhere ({line[30:54].strip()!r}). "
            "Coordinates are numbers in Angstrom: mend the file."
        )
    return AtomRecord(
        where=f"line {number}",
        serial=line[6:11].strip(),
        hetero=line[:6].upper() == "HETATM",
        name=line[12:16].strip().upper(),
        altloc=line[16:17].strip(),
        resname=line[17:21].strip().upper(),
        chain=line[21:22].strip(),
        number=line[22:27].replace(" ", ""),
        segment=line[72:76].strip(),
        part=part,
        position=position,
        occupancy=_read_occupancy(line[54:60]),
        element=_read_element(line),
    )


def _read_occupancy(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 1.0


def _read_element(line: str) -> str:
    """Return the element, "" where its columns hold none that begins the name."""
    element = line[76:78].strip().upper()
    name = line[12:16].strip().upper().lstrip("0123456789")
    fits = element in ("H", "D") or (element and name.startswith(element))
    return element if element.isalpha() and fits else ""


def _read_named_bonds(lines: list[str]) -> Iterator[BondRecord]:
    for line in lines:
        kind = line[:6].strip().upper()
        if kind == "SSBOND":
            one = (line[15:16].strip(), line[17:22].replace(" ", ""), "CYS", "SG")
            two = (line[29:30].strip(), line[31:36].replace(" ", ""), "CYS", "SG")
        elif kind == "LINK":
            one, two = _read_link_end(line, 12), _read_link_end(line, 42)
        else:
            continue
        copies = {line[59:65].strip(), line[66:72].strip()}
        yield BondRecord(kind, one, two, bool(copies - set(_NOT_COPIED)))


def _read_link_end(line: str, at: int) -> AtomKey:
    return (
        line[at + 9 : at + 10].strip(),
        line[at + 10 : at + 15].replace(" ", ""),
        line[at + 5 : at + 9].strip().upper(),
        line[at : at + 4].strip().upper(),
    )


def _read_conect(lines: list[str], atoms: list[AtomRecord]) -> Iterator[BondRecord]:
    """Yield CONECT's bonds between residues; serial numbers used twice say none."""
    atoms = sorted(atoms, key=lambda a: a.serial)
    alone = {}
    for serial, group in groupby(atoms, key=lambda a: a.serial):
        found = list(group)
        if len(found) == 1:
            alone[serial] = found[0]
    seen = set()
    for line in lines:
        if line[:6].upper() != "CONECT":
            continue
        serials = [line[k : k + 5].strip() for k in range(6, min(len(line), 31), 5)]
        for other in serials[1:]:
            pair = frozenset((serials[0], other))
            if not pair <= alone.keys() or len(pair) < 2 or pair in seen:
                continue
            seen.add(pair)
            one, two = name_atom(alone[serials[0]]), name_atom(alone[other])
            if one[:3] != two[:3]:
                yield BondRecord("CONECT", one, two)


def _count_unseen(lines: list[str], atoms: list[AtomRecord]) -> int:
    """Return how many residues REMARK 465 lists, or SEQRES has more than there are."""
    listed = sum(_is_unseen(line) for line in lines if line.startswith("REMARK 465"))
    if listed:
        return listed
    named: dict[str, int] = {}
    for line in lines:
        if line[:6].upper() == "SEQRES":
            chain = line[11:12].strip()
            named[chain] = named.get(chain, 0) + len(line[19:70].split())
    first: dict[str, int] = {}
    there: dict[str, set[str]] = {}
    for atom in atoms:
        if atom.part == first.setdefault(atom.chain, atom.part):
            there.setdefault(atom.chain, set()).add(atom.number)
    return sum(max(0, n - len(there.get(chain, ()))) for chain, n in named.items())


def _is_unseen(line: str) -> bool:
    return line[21:26].strip().lstrip("-").isdigit() and bool(line[15:18].strip())
