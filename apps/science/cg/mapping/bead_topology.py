"""Beads that are given as beads: a PSF file of a C-alpha model, and what it describes.

The published C-alpha models (Majewski 2023) come as PSF files; two of them disagree
with the PDB files of the same protein, so a structure can be checked against one.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from apps.science.arrays import Array
from apps.science.cg.mapping.beads import RESIDUE_EMBEDDING, name_residue
from apps.science.cg.mapping.mapping import AtomGroup, Mapping
from apps.science.errors import DataError, StructureError

if TYPE_CHECKING:
    import mdtraj

    from apps.science.systems.structure import Residue

_CALPHA_MASS: Final = 12.0
"""amu; where the PSF says zero, as the published ones do."""


class NamedResidue(NamedTuple):
    """One residue of a file: its plain name and its number there."""

    resname: str
    resid: int


def read_psf(psf: Path) -> Mapping:
    """Return the mapping of C-alpha beads onto themselves that a PSF file describes.

    Angles, which the published files leave out, are the paths of two bonds.

    Raises
    ------
    DataError
        If the file is missing or no PSF of one bead a residue.
    StructureError
        If a residue has no bead type.
    """
    atoms = _read_atoms(psf)
    if not _are_calpha(atoms):
        raise DataError(
            f"{psf} is no PSF of C-alpha beads: every atom has to be named CA. Give "
            "the topology of a C-alpha model, or build a mapping from a PDB file."
        )
    resnames = [name_residue(words[3]) for words in atoms]
    for words, plain in zip(atoms, resnames, strict=True):
        if plain not in RESIDUE_EMBEDDING:
            raise StructureError(
                f"{psf}: residue {words[3]} {words[2]} has no bead type. Known are "
                f"{', '.join(sorted(RESIDUE_EMBEDDING))}; rename it in the file."
            )
    n = len(atoms)
    own = [AtomGroup(atoms=[k], coefficients=[1.0]) for k in range(n)]
    bonds = [(i, j) for i, j in _read_indices(psf, "!NBOND", 2)]
    joined = {frozenset(b) for b in bonds}
    dihedrals = _read_indices(psf, "!NPHI", 4)
    segments = list(dict.fromkeys(words[1] for words in atoms))
    return Mapping(
        kind="calpha",
        force_map="slice",
        n_atoms=n,
        names=["CA"] * n,
        types=[words[5] for words in atoms],
        resnames=resnames,
        resids=[int(words[2]) for words in atoms],
        chains=[segments.index(words[1]) for words in atoms],
        embeddings=[RESIDUE_EMBEDDING[name] for name in resnames],
        masses_amu=[float(words[7]) or _CALPHA_MASS for words in atoms],
        coordinate_groups=own,
        force_groups=own,
        bonds=bonds,
        angles=[
            (i, i + 1, i + 2)
            for i in range(n - 2)
            if {frozenset((i, i + 1)), frozenset((i + 1, i + 2))} <= joined
        ],
        dihedrals=[(i, j, k, m) for i, j, k, m in dihedrals],
        constraint_groups=[],
    )


def read_psf_angles(psf: Path) -> list[tuple[int, int, int]]:
    """Return the angles that a PSF file lists; the published ones list none."""
    return [(i, j, k) for i, j, k in _read_indices(psf, "!NTHETA", 3)]


def is_calpha_psf(path: Path) -> bool:
    """Tell whether a file is the PSF of a C-alpha model."""
    return path.suffix.lower() == ".psf" and _are_calpha(_read_atoms(path))


def name_atoms(mapping: Mapping) -> "mdtraj.Topology":
    """Return C-alpha beads as atoms and bonds of an mdtraj topology."""
    import mdtraj

    topology = mdtraj.Topology()
    atoms = []
    for k, chain in enumerate(mapping.chains):
        if k == 0 or chain != mapping.chains[k - 1]:
            strand = topology.add_chain()
        residue = topology.add_residue(mapping.resnames[k], strand, mapping.resids[k])
        atoms.append(topology.add_atom("CA", mdtraj.element.carbon, residue))
    for i, j in mapping.bonds:
        topology.add_bond(atoms[i], atoms[j])
    return topology


def _read_atoms(psf: Path) -> list[list[str]]:
    return [line.split() for line in _read_section(psf, "!NATOM")]


def _are_calpha(atoms: list[list[str]]) -> bool:
    return bool(atoms) and all(len(w) >= 8 and w[4] == "CA" for w in atoms)


def _read_section(psf: Path, keyword: str) -> list[str]:
    """Return the lines of a section of a PSF file, empty where it has none."""
    if not psf.is_file():
        raise DataError(f"{psf} does not exist. Check its path.")
    lines = psf.read_text(encoding="utf-8", errors="replace").splitlines()
    start = next((k for k, line in enumerate(lines) if keyword in line), None)
    if start is None:
        return []
    found = []
    for line in lines[start + 1 :]:
        if not line.strip() or "!" in line:
            break
        found.append(line)
    return found


def _read_indices(psf: Path, keyword: str, size: int) -> list[list[int]]:
    """Return groups of ``size`` bead indices; a PSF counts from one."""
    flat = [int(w) - 1 for line in _read_section(psf, keyword) for w in line.split()]
    if len(flat) % size:
        raise DataError(
            f"{psf}: section {keyword[1:]} has {len(flat)} indices, no multiple of "
            f"{size}. The file is damaged."
        )
    return [flat[k : k + size] for k in range(0, len(flat), size)]


def list_residues(pdb: Path) -> list[NamedResidue]:
    """Return the residues with a C-alpha of a PDB file's first model."""
    return [
        NamedResidue(name_residue(r.name), int("".join(filter(_is_digit, r.number))))
        for r in _read_calphas(pdb)
    ]


def read_native_beads(pdb: Path) -> Array:
    """Return the C-alphas of a PDB file's first model, (n_residues, 3), Angstrom."""
    return np.array([r.atoms["CA"] for r in _read_calphas(pdb)], dtype=float)


def _read_calphas(pdb: Path) -> "list[Residue]":
    from apps.science.systems.reading import read_pdb

    return [r for r in read_pdb(pdb) if "CA" in r.atoms]


def _is_digit(letter: str) -> bool:
    return letter.isdigit() or letter == "-"


def check_same_residues(
    mapping: Mapping, structure: Path, topology: str = "the topology"
) -> None:
    """Require that a structure has the residues that the beads were named for.

    Numbers may differ; the order of residues counts.

    Parameters
    ----------
    topology : what the beads come from, for the message

    Raises
    ------
    StructureError
        Naming every residue that differs.
    """
    beads = [
        NamedResidue(mapping.resnames[b], mapping.resids[b])
        for b in mapping.calpha_beads
    ]
    compare_residues(beads, list_residues(structure), topology, structure.name)


def compare_residues(
    expected: Sequence[NamedResidue],
    found: Sequence[NamedResidue],
    of_expected: str,
    of_found: str,
) -> None:
    """Require two lists of residues to have the same names in the same order.

    Raises
    ------
    StructureError
        Naming every residue that differs.
    """
    if len(expected) != len(found):
        raise StructureError(
            f"{of_expected} has {len(expected)} residues and {of_found} has "
            f"{len(found)}: they are of different proteins, or one lacks residues. "
            "Use files of one construct."
        )
    differ = [
        f"{one.resname} {one.resid} is {two.resname} {two.resid}"
        for one, two in zip(expected, found, strict=True)
        if one.resname != two.resname
    ]
    if differ:
        raise StructureError(
            f"{of_expected} and {of_found} differ in {len(differ)} of {len(expected)} "
            f"residues: {', '.join(differ)} there. They are of different mutants; use "
            "files of one construct."
        )
