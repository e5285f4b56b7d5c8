"""RMSD, torsion and Cartesian coordinates on structures built to order."""

from pathlib import Path

import numpy as np
import pytest

from apps.science.errors import DataError, ShapeMismatchError
from apps.science.pcoords import cartesian, dihedrals, rmsd
from apps.science.systems.structure import place_atom


def backbone(phi: float, psi: float) -> np.ndarray:
    """Return five points whose two torsions are ``phi`` and ``psi``."""
    points = [np.zeros(3), np.array([1.3, 0, 0]), np.array([1.8, 1.4, 0])]
    points.append(place_atom(*points[-3:], 1.5, 111.0, phi))
    points.append(place_atom(*points[-3:], 1.3, 117.0, psi))
    return np.array(points)


def test_phi_and_psi_come_back_in_degrees() -> None:
    asked = np.array([[-60.0, -45.0], [-135.0, 135.0], [55.0, 179.0]])
    frames = np.array([backbone(*pair) for pair in asked])
    pcoord = dihedrals.ProgressCoordinate(dihedrals.Config())
    assert pcoord.n_dim == 2
    np.testing.assert_allclose(pcoord.compute(frames), asked, atol=1e-6)


def test_torsions_by_name_are_those_of_mdtraj(alanine_system: Path) -> None:
    import mdtraj

    protein = alanine_system / "protein.pdb"
    config = dihedrals.Config(torsions=["phi", "psi 2"], topology=str(protein))
    pcoord = dihedrals.ProgressCoordinate(config)
    frame = mdtraj.load(str(protein))
    expected = [mdtraj.compute_phi(frame)[1], mdtraj.compute_psi(frame)[1]]
    np.testing.assert_allclose(
        pcoord.compute(10.0 * frame.xyz), np.degrees(np.hstack(expected)), atol=1e-3
    )
    assert (config.n_coordinates, pcoord.n_dim) == (2, 2)


def test_a_dihedral_beyond_the_frames_is_refused() -> None:
    pcoord = dihedrals.ProgressCoordinate(dihedrals.Config())
    with pytest.raises(ShapeMismatchError, match="names point 4 but frames hold 4"):
        pcoord.compute(np.zeros((1, 4, 3)))


def test_rmsd_to_a_npy_reference_and_to_chosen_points(tmp_path: Path) -> None:
    path = tmp_path / "native.npy"
    native = backbone(-60, -45)
    np.save(path, native)
    moved = native.copy()
    moved[4] += 7.0
    whole = rmsd.ProgressCoordinate(rmsd.Config(reference=str(path)))
    part = rmsd.ProgressCoordinate(rmsd.Config(reference=str(path), atoms=[0, 1, 2, 3]))
    frames = np.stack([native + 3.0, moved])
    assert whole.compute(frames).shape == (2, 1)
    np.testing.assert_allclose(whole.compute(frames)[0], 0.0, atol=1e-6)
    assert whole.compute(frames)[1] > 1.0
    np.testing.assert_allclose(part.compute(frames), 0.0, atol=1e-6)


def test_rmsd_to_a_prepared_protein(alanine_system: Path) -> None:
    from apps.science.systems.info import read_starts

    reference = alanine_system / "protein.pdb"
    pcoord = rmsd.ProgressCoordinate(rmsd.Config(reference=str(reference)))
    value = pcoord.compute(read_starts(alanine_system).positions)
    assert 0.0 < value[0, 0] < 1.5


def test_beads_are_compared_whether_atoms_or_beads_come(
    alanine_system: Path, tmp_path: Path
) -> None:
    from apps.science.cg.mapping.mapping import build_mapping
    from apps.science.systems.info import read_starts, read_system_info

    info = read_system_info(alanine_system)
    mapping = build_mapping(alanine_system / "protein.pdb", info, "backbone")
    path = mapping.write(tmp_path / "mapping.json")
    pcoord = rmsd.ProgressCoordinate(
        rmsd.Config(reference=str(alanine_system / "protein.pdb"), mapping=str(path))
    )
    atoms = read_starts(alanine_system).positions
    from_atoms = pcoord.compute(atoms)
    from_beads = pcoord.compute(mapping.map_positions(atoms))
    np.testing.assert_allclose(from_atoms, from_beads, atol=1e-6)
    with pytest.raises(ShapeMismatchError, match="maps 22 atoms to 5 beads"):
        pcoord.compute(np.zeros((1, 7, 3)))


def test_an_extended_start_is_in_the_extended_region(
    alanine_system: Path, tmp_path: Path
) -> None:
    from apps.science.cg.mapping.mapping import build_mapping
    from apps.science.pcoords._beads import read_structure
    from apps.science.systems.info import read_system_info

    info = read_system_info(alanine_system)
    mapping = build_mapping(alanine_system / "protein.pdb", info, "backbone")
    path = mapping.write(tmp_path / "mapping.json")
    pcoord = dihedrals.ProgressCoordinate(dihedrals.Config(mapping=str(path)))
    minimised = read_structure(alanine_system / "protein.pdb")
    phi, psi = pcoord.compute(minimised[None])[0]
    assert -180 < phi < -50
    assert 90 < psi < 180


def test_a_missing_reference_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"native\.pdb does not exist"):
        rmsd.ProgressCoordinate(rmsd.Config(reference=str(tmp_path / "native.pdb")))


def test_cartesian_takes_the_first_points_axes() -> None:
    frames = np.arange(12.0).reshape(2, 2, 3)
    pcoord = cartesian.ProgressCoordinate(cartesian.Config(axes=[0, 2]))
    np.testing.assert_array_equal(pcoord.compute(frames), [[0, 2], [6, 8]])
