"""The topology of an exported run names its atoms or beads as the system does."""

import mdtraj
import numpy as np
import pytest

from apps.science.cg.mapping.mapping import AtomGroup, Mapping
from apps.science.segments import topology

PDB = """\
ATOM      1  N   ALA A   4       0.000   0.000   0.000  1.00  0.00           N
ATOM      2  CA  ALA A   4       1.458   0.000   0.000  1.00  0.00           C
ATOM      3  HB1 ALA A   4       2.009   1.420   0.000  1.00  0.00           H
TER
END
"""


def make_mapping() -> Mapping:
    own = [AtomGroup(atoms=[k], coefficients=[1.0]) for k in range(5)]
    return Mapping(
        kind="backbone", force_map="slice", n_atoms=5,
        names=["C", "N", "CA", "C", "N"], types=["C", "N", "CA", "C", "N"],
        resnames=["ACE", "ALA", "ALA", "ALA", "NME"], resids=[1, 2, 2, 2, 3],
        chains=[0] * 5, embeddings=[1, 2, 3, 1, 2], masses_amu=[12.0] * 5,
        coordinate_groups=own, force_groups=own,
        bonds=[(0, 1), (1, 2), (2, 3), (3, 4)], angles=[], dihedrals=[],
    )  # fmt: skip


def test_beads_keep_their_names_residues_and_bonds(tmp_path) -> None:
    beads = topology.make_beads(make_mapping())
    path = topology.write_pdb(tmp_path / "beads.pdb", beads, np.eye(5, 3) * 4)
    read = mdtraj.load(path, standard_names=False)
    assert [a.name for a in read.topology.atoms] == ["C", "N", "CA", "C", "N"]
    assert [(r.name, r.resSeq) for r in read.topology.residues] == [
        ("ACE", 1), ("ALA", 2), ("NME", 3),
    ]  # fmt: skip
    assert [(a.index, b.index) for a, b in beads.bonds] == make_mapping().bonds
    np.testing.assert_allclose(read.xyz[0] * 10, np.eye(5, 3) * 4, atol=1e-3)


def test_atoms_keep_the_names_of_their_file(tmp_path) -> None:
    (tmp_path / "in.pdb").write_text(PDB)
    atoms = topology.read_atoms(tmp_path / "in.pdb")
    path = topology.write_pdb(tmp_path / "out.pdb", atoms, np.zeros((3, 3)))
    again = topology.read_atoms(path)
    assert [str(a) for a in again.atoms] == ["ALA4-N", "ALA4-CA", "ALA4-HB1"]


@pytest.mark.parametrize("n_points", [1, 300])
def test_points_can_be_written_and_read(tmp_path, n_points) -> None:
    given = np.random.default_rng(1).normal(size=(n_points, 3)) * 20
    given[0] = np.nan
    points = topology.make_points(n_points)
    path = topology.write_pdb(tmp_path / "points.pdb", points, given)
    read = mdtraj.load(path)
    assert read.n_atoms == n_points
    np.testing.assert_allclose(read.xyz[0] * 10, np.nan_to_num(given), atol=1e-3)
