import numpy as np
import pytest

from apps.science.cg.dataset.delta_forces import LinearMap, subtract_prior
from apps.science.errors import ShapeMismatchError

FOUR_BEADS = np.kron(np.eye(4), np.ones(3))


def test_mapping_keeps_the_net_force_when_every_atom_has_one_bead() -> None:
    forces = np.random.default_rng(7).normal(size=(5, 12, 3))
    mapped = LinearMap(FOUR_BEADS).apply(forces)
    np.testing.assert_allclose(mapped.sum(axis=1), forces.sum(axis=1))


def test_nothing_is_left_where_the_prior_is_exact() -> None:
    forces = np.random.default_rng(8).normal(size=(5, 12, 3))
    delta = subtract_prior(LinearMap(FOUR_BEADS).apply(forces), FOUR_BEADS @ forces)
    np.testing.assert_allclose(delta, 0.0, atol=1e-12)


def test_a_force_map_of_another_system_is_refused() -> None:
    with pytest.raises(ShapeMismatchError, match=r"\(2, 166, 3\) but the map .* 175"):
        LinearMap(np.zeros((10, 175))).apply(np.zeros((2, 166, 3)))


def test_a_prior_of_other_beads_is_refused() -> None:
    with pytest.raises(ShapeMismatchError, match="Use the prior of this mapping"):
        subtract_prior(np.zeros((2, 4, 3)), np.zeros((2, 5, 3)))
