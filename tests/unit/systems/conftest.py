"""Small structure files for the tests: peptides as PDB lines, to be altered."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from apps.science.systems.build import build_system
from apps.science.systems.config import SystemConfig
from apps.science.systems.reading import Structure, read_structure
from apps.science.systems.sequence import build_extended
from apps.science.systems.structure import add_caps, format_pdb


def write_peptide(sequence: str, caps: bool = False) -> list[str]:
    """Return the ATOM lines of an extended chain, without TER and END."""
    residues = build_extended(sequence)
    text = format_pdb(add_caps(residues) if caps else residues)
    return [line for line in text.splitlines() if line.startswith("ATOM")]


def alter(
    lines: list[str],
    chain: str | None = None,
    first: int | None = None,
    shift: tuple[float, float, float] = (0, 0, 0),
    names: dict[str, str] | None = None,
    segment: str = "",
    mirror: bool = False,
) -> list[str]:
    """Return lines with another letter, numbers from ``first``, moved, renamed."""
    changed = []
    for line in lines:
        number = int(line[22:26])
        if first is not None:
            number += first - int(lines[0][22:26])
        xyz = [float(line[k : k + 8]) for k in (30, 38, 46)]
        xyz[0] *= -1 if mirror else 1
        places = "".join(f"{x + d:8.3f}" for x, d in zip(xyz, shift, strict=True))
        name = (names or {}).get(line[17:20].strip(), line[17:20].strip())
        letter = line[21] if chain is None else chain or " "
        changed.append(
            f"{line[:17]}{name:>3}{'' if len(name) == 4 else ' '}{letter}{number:4d}"
            f"{line[26:30]}{places}{line[54:72]}{segment:<4}{line[76:]}"
        )
    return changed


def hetero(
    name: str, atom: str, at: tuple[float, float, float] = (40, 40, 40),
    element: str = "", number: int = 101, chain: str = "A",
) -> str:  # fmt: skip
    """Return a HETATM line of one atom."""
    places = "".join(f"{x:8.3f}" for x in at)
    label = atom if len(element) == 2 or len(atom) == 4 else f" {atom}"
    return (
        f"HETATM  900 {label:<4} {name + ' ' if len(name) < 4 else name:>4}{chain}"
        f"{number:4d}    {places}"
        f"  1.00  0.00          {element:>2}"
    )


def write_file(folder: Path, lines: list[str], name: str = "protein.pdb") -> Path:
    """Write lines as a file and return its path."""
    path = folder / name
    path.write_text("\n".join([*lines, "END", ""]), encoding="utf-8")
    return path


def read(folder: Path, lines: list[str], **settings: object) -> Structure:
    """Return what is taken of lines under ``settings``."""
    path = write_file(folder, lines)
    config = SystemConfig.model_validate({"pdb": path, **settings})
    return read_structure(path, config)


def build(path: Path, **settings: Any) -> Any:
    """Return the system that is built of a file, in vacuum."""
    config = SystemConfig.model_validate({"pdb": path, "solvent": "vacuum", **settings})
    return build_system(config, 1)


@pytest.fixture(scope="session")
def pdb() -> SimpleNamespace:
    """Return what writes small structure files, and what reads and builds them."""
    return SimpleNamespace(
        peptide=write_peptide, alter=alter, hetero=hetero, write=write_file, read=read,
        build=build,
    )  # fmt: skip
