"""Bead geometry against closed forms."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from apps.science.metrics.conformations._geometry import (
    far_pairs,
    measure_angles,
    measure_dihedrals,
    measure_distances,
    measure_gyration,
    measure_rmsd,
)

FOUR = np.array([[0, 1, 2, 3]])


def butterfly(phi_deg):
    """Return four beads whose dihedral is ``phi_deg``; IUPAC sign."""
    phi = np.radians(phi_deg)
    return np.array([[1.0, 0, 0], [0, 0, 0], [0, 0, 1], [np.cos(phi), np.sin(phi), 1]])[
        None
    ]


@pytest.mark.parametrize("phi", [-179.0, -60.0, 0.0, 35.0, 90.0, 179.9])
def test_a_dihedral_has_its_size_and_its_sign(phi: float) -> None:
    # looking from bead 1 to bead 2 (along +z) clockwise is positive
    assert measure_dihedrals(butterfly(phi), FOUR)[0, 0] == pytest.approx(phi)


def test_dihedrals_agree_with_mdtraj() -> None:
    mdtraj = pytest.importorskip("mdtraj")
    x = np.random.default_rng(0).normal(size=(20, 4, 3))
    top = mdtraj.Topology()
    residue = top.add_residue("X", top.add_chain())
    for _ in range(4):
        top.add_atom("CA", mdtraj.element.carbon, residue)
    expected = mdtraj.compute_dihedrals(mdtraj.Trajectory(x, top), FOUR)
    np.testing.assert_allclose(
        measure_dihedrals(x, FOUR), np.degrees(expected), atol=1e-3
    )


def test_angles_are_right_up_to_a_straight_line() -> None:
    for degrees in (0.01, 45.0, 90.0, 179.99):
        turn = np.radians(degrees)
        x = np.array([[[1.0, 0, 0], [0, 0, 0], [np.cos(turn), np.sin(turn), 0]]])
        found = measure_angles(x, np.array([[0, 1, 2]]))
        assert found[0, 0] == pytest.approx(degrees, abs=1e-6)


def test_far_pairs_are_ordered_and_at_least_three_apart() -> None:
    np.testing.assert_array_equal(far_pairs(5), [[0, 3], [0, 4], [1, 4]])
    assert len(far_pairs(3)) == 0


def test_gyration_of_a_dumbbell_is_half_its_length() -> None:
    x = np.array([[[0.0, 0, 0], [6.0, 0, 0]]])
    assert measure_gyration(x)[0] == pytest.approx(3.0)
    assert measure_distances(x, np.array([[0, 1]]))[0, 0] == 6.0


def test_rmsd_forgets_motion_but_not_the_mirror() -> None:
    rng = np.random.default_rng(1)
    native = rng.normal(size=(9, 3))
    turned = Rotation.random(5, random_state=2).as_matrix() @ native.T
    moved = np.swapaxes(turned, 1, 2) + rng.normal(size=(5, 1, 3))
    np.testing.assert_allclose(measure_rmsd(moved, native), 0, atol=1e-6)
    assert measure_rmsd(native[None] * [-1, 1, 1], native)[0] > 0.3


def test_rmsd_is_the_least_over_rotations() -> None:
    rng = np.random.default_rng(3)
    native, other = rng.normal(size=(2, 6, 3))
    a, b = other - other.mean(0), native - native.mean(0)
    best, _ = Rotation.align_vectors(b, a)
    expected = np.sqrt(((best.apply(a) - b) ** 2).sum(-1).mean())
    assert measure_rmsd(other[None], native)[0] == pytest.approx(expected)
