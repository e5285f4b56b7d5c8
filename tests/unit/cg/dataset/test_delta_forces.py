import numpy as np
import pytest

from apps.science.cg.dataset.delta_forces import compute_delta_forces
from apps.science.errors import ShapeMismatchError


def test_mapping_keeps_the_net_force_when_every_atom_has_one_bead():
    forces = np.random.default_rng(7).normal(size=(5, 12, 3))
    force_map = np.kron(np.eye(4), np.ones(3))
    delta = compute_delta_forces(forces, force_map, np.zeros((5, 4, 3)))
    np.testing.assert_allclose(delta.sum(axis=1), forces.sum(axis=1))


def test_nothing_is_left_where_the_prior_is_exact():
    forces = np.random.default_rng(8).normal(size=(5, 12, 3))
    force_map = np.kron(np.eye(4), np.ones(3))
    delta = compute_delta_forces(forces, force_map, force_map @ forces)
    np.testing.assert_allclose(delta, 0.0, atol=1e-12)


def test_a_force_map_of_another_system_is_refused():
    with pytest.raises(ShapeMismatchError, match="166 atoms but the force map covers"):
        compute_delta_forces(
            np.zeros((2, 166, 3)), np.zeros((10, 175)), np.zeros((2, 10, 3))
        )
