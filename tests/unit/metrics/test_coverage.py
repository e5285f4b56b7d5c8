"""The share of one set's weight that lies outside the other's 99 % area."""

import numpy as np
import pytest

from apps.science.metrics.conformations import coverage, folded


def plane(points):
    """Return three-bead frames at these TICs of ``FirstTwo``."""
    x = np.zeros((len(points), 3, 3))
    x[:, :2, 0] = points
    return x


def compare(sets, reference, model, weight=None):
    return coverage.Metric().compare(
        sets.compare(
            sets.make_frames(plane(reference)),
            sets.make_frames(plane(model), weight),
            sets.chain(3, tica=sets.FirstTwo()),
        )
    )


@pytest.fixture(scope="module")
def square():
    """Points in a square of side one, several in every cell."""
    return np.random.default_rng(1).random((20_000, 2))


def test_the_same_set_lies_within_its_own_area(sets, square) -> None:
    found = compare(sets, square, square)
    for figure in found.figures.values():
        assert figure.value <= 0.01 + 1e-6
        assert figure.low <= figure.value <= figure.high
    area = found.arrays["reference_area"]
    assert area.shape == (50, 50)
    # the square fills its grid evenly, so 99 % of its weight is nearly all of it
    assert area.mean() > 0.95


def test_weight_elsewhere_counts_as_outside(sets, square) -> None:
    """A quarter of the frames, with half of the weight, is far away."""
    model = square.copy()
    model[::4] += 5.0
    weight = np.ones(len(model))
    weight[::4] = 3.0
    found = compare(sets, square, model, weight)
    assert found.figures["outside"].value == pytest.approx(0.5, abs=0.01)
    assert found.figures["outside"].floor < 0.05


def test_a_model_in_one_corner_misses_the_rest(sets, square) -> None:
    found = compare(sets, square, square * 0.5)
    assert found.figures["outside"].value < 0.03
    assert found.figures["missed"].value == pytest.approx(0.75, abs=0.03)


def test_a_model_that_is_nowhere_near_is_all_outside(sets, square) -> None:
    found = compare(sets, square, square + 50.0)
    assert found.figures["outside"].value == 1.0
    assert found.figures["outside"].high == 1.0
    assert found.figures["missed"].value == 1.0


SIDE = coverage.N_BINS + 2


def put(*cells: tuple[int, int, float]) -> np.ndarray:
    """Return masses (1, SIDE^2) with these cells of the grid filled."""
    masses = np.zeros((1, SIDE, SIDE))
    for row, column, mass in cells:
        masses[0, 1 + row, 1 + column] = mass
    return masses.reshape(1, -1)


def test_what_is_not_needed_for_the_share_is_left_out() -> None:
    """Three heaps of falling mass; the last is not needed for 99 %."""
    area = coverage.find_area(put((10, 10, 0.9), (30, 30, 0.095), (10, 40, 0.005)))
    area = area[0].reshape(50, 50)
    assert area[10, 10]
    assert area[30, 30]
    assert not area[10, 40]


def test_a_hole_that_few_frames_leave_belongs_to_the_area() -> None:
    """Every second cell of a square has a frame; those between have none."""
    cells = [(20 + 2 * i, 20 + 2 * j, 1.0) for i in range(6) for j in range(6)]
    area = coverage.find_area(put(*cells))[0].reshape(50, 50)
    assert area[20:31, 20:31].all()
    assert area.sum() < 20 * 20


def test_cells_of_one_density_belong_together_whatever_their_order() -> None:
    """Two heaps that differ in the last bit: neither is denser than the other."""
    one = coverage.find_area(put((10, 10, 0.5), (30, 30, 0.5 * (1 + 1e-15))))
    other = coverage.find_area(put((10, 10, 0.5 * (1 + 1e-15)), (30, 30, 0.5)))
    np.testing.assert_array_equal(one, other)
    assert one[0].reshape(50, 50)[10, 10]
    assert one[0].reshape(50, 50)[30, 30]


def test_what_lies_beyond_the_grid_has_no_area() -> None:
    masses = put((10, 10, 0.3), (30, 30, 0.2))
    masses[0, 0] = 0.5
    area = coverage.find_area(masses)[0].reshape(50, 50)
    assert area[10, 10]
    assert area[30, 30]
    assert area.sum() < 300


def test_the_folded_share_has_an_interval_on_either_side(sets) -> None:
    x = sets.random_chains(400, 6, 3)
    native = sets.random_chains(1, 6, 4)[0]
    x[::2] = native
    frames = sets.make_frames(x)
    beads = sets.chain(6, native=native, folded_angstrom=1.0)
    found = folded.Metric().compare(sets.compare(frames, frames, beads)).details
    for name in ("reference", "model"):
        low, high = found[f"{name}_fraction_interval"]
        assert 0 <= low <= found[f"{name}_fraction"] <= high <= 1


def test_a_share_never_seen_is_bounded_by_the_number_of_blocks() -> None:
    sums = np.stack([np.zeros(30), np.ones(30)], axis=1)
    plan = np.ones((5, 30))
    assert folded.bound_share(sums, plan) == [0.0, pytest.approx(0.1)]
    sums[:, 0] = 1.0
    assert folded.bound_share(sums, plan) == [pytest.approx(0.9), 1.0]
