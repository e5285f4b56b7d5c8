import logging
from pathlib import Path

import numpy as np
import pytest

from apps.science.cg.mapping.force_maps import check_force_map, group_constraints
from apps.science.cg.mapping.mapping import build_mapping, read_mapping
from apps.science.errors import ConfigError, DataError, ShapeMismatchError


def test_constraint_sum_counts_alpha_hydrogens(chignolin_atoms):
    mapping = build_mapping(chignolin_atoms.pdb, chignolin_atoms, "calpha")
    sums = mapping.force_matrix.sum(axis=1)
    np.testing.assert_array_equal(sums, [2, 2, 2, 2, 2, 2, 3, 2, 2, 2])


def test_constraint_sum_is_consistent(chignolin_atoms):
    mapping = build_mapping(chignolin_atoms.pdb, chignolin_atoms, "calpha")
    groups = group_constraints(mapping.n_atoms, chignolin_atoms.constraints)
    check = check_force_map(mapping.force_matrix, mapping.coordinate_matrix, groups)
    assert check.deviation < 1e-6
    assert check.n_split_constraints == 0


@pytest.mark.parametrize("kind", ["sum", "slice", "mass_average"])
def test_maps_that_cut_through_constraints_warn(chignolin_atoms, kind, caplog):
    with caplog.at_level(logging.WARNING):
        build_mapping(chignolin_atoms.pdb, chignolin_atoms, "calpha", kind)
    assert "10 constraint groups" in caplog.text
    assert "diagonal" in caplog.text


def test_mass_average_over_two_atoms_halves_the_diagonal():
    xi = np.array([[0.5, 0.5]])
    check = check_force_map(xi, xi, [])
    np.testing.assert_allclose(check.diagonal, [0.5])
    assert not check.is_consistent


def test_unknown_force_map_lists_those_that_exist(chignolin_atoms):
    with pytest.raises(ConfigError, match="constraint_sum, sum, slice, mass_average"):
        build_mapping(chignolin_atoms.pdb, chignolin_atoms, "calpha", "best")


def test_chignolin_has_the_published_types_and_embeddings(chignolin_atoms):
    mapping = build_mapping(chignolin_atoms.pdb, chignolin_atoms, "calpha")
    assert mapping.embeddings == [4, 4, 5, 8, 6, 13, 2, 13, 7, 4]
    assert [t[-1] for t in mapping.types] == list("YYDPETGTWY")
    assert len(mapping.bonds) == 9
    assert mapping.dihedrals[-1] == (6, 7, 8, 9)


def test_mapped_force_is_the_sum_over_calpha_and_its_hydrogens(chignolin_atoms):
    mapping = build_mapping(chignolin_atoms.pdb, chignolin_atoms, "calpha")
    forces = np.random.default_rng(1).normal(size=(4, mapping.n_atoms, 3))
    mapped = mapping.map_forces(forces)
    np.testing.assert_allclose(mapped[:, 0], forces[:, 1] + forces[:, 2])
    positions = np.random.default_rng(2).normal(size=(4, mapping.n_atoms, 3))
    np.testing.assert_allclose(mapping.map_positions(positions)[:, 0], positions[:, 1])


def test_mapping_survives_its_file(chignolin_atoms, tmp_path: Path):
    mapping = build_mapping(chignolin_atoms.pdb, chignolin_atoms, "calpha")
    assert read_mapping(mapping.write(tmp_path / "mapping.json")) == mapping


def test_mapping_refuses_another_system(chignolin_atoms):
    mapping = build_mapping(chignolin_atoms.pdb, chignolin_atoms, "calpha")
    with pytest.raises(ShapeMismatchError, match=r"\(3, 7, 3\)"):
        mapping.map_forces(np.zeros((3, 7, 3)))


def test_missing_mapping_says_which_stage_to_run(tmp_path: Path):
    with pytest.raises(DataError, match="coarse-graining stage"):
        read_mapping(tmp_path / "mapping.json")


def test_chain_breaks_have_no_bond(chignolin_atoms):
    text = chignolin_atoms.pdb.read_text().splitlines()
    moved = [
        line[:46] + f"{50.0:8.3f}" + line[54:]
        if line.startswith("ATOM") and int(line[22:26]) > 5
        else line
        for line in text
    ]
    chignolin_atoms.pdb.write_text("\n".join(moved) + "\n")
    mapping = build_mapping(chignolin_atoms.pdb, chignolin_atoms, "calpha")
    assert (4, 5) not in mapping.bonds
    assert len(mapping.bonds) == 8
    assert len(mapping.angles) == 6


def test_alanine_dipeptide_has_the_five_backbone_beads(alanine_system: Path):
    mapping = build_mapping(
        alanine_system / "protein.pdb", alanine_system / "system.json", "backbone"
    )
    assert mapping.names == ["C", "N", "CA", "C", "N"]
    assert mapping.resnames == ["ACE", "ALA", "ALA", "ALA", "NME"]
    assert mapping.embeddings == [32, 30, 1, 31, 33]
    # C has no hydrogen; N and CA have one each, held by a constraint.
    np.testing.assert_array_equal(mapping.force_matrix.sum(axis=1), [1, 2, 2, 1, 2])
