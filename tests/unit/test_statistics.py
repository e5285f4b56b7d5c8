"""Weighted statistics against closed forms, scipy and repeated frames."""

import numpy as np
import pytest
from scipy import stats

from apps.science.errors import ShapeMismatchError, WeightError
from apps.science.statistics import (
    add_pseudocount,
    bin_values,
    effective_sample_size,
    js_divergence,
    kl_divergence,
    shared_edges,
    weighted_histogram,
    weighted_quantile,
)

RNG = np.random.default_rng(5)


def test_ess_of_equal_weights_is_their_number_and_of_one_is_one() -> None:
    assert effective_sample_size(np.full(7, 0.3)) == pytest.approx(7)
    assert effective_sample_size(np.array([0.0, 2.0, 0.0])) == pytest.approx(1)
    assert effective_sample_size(np.array([1.0, 3.0])) == pytest.approx(16 / 10)


def test_ess_does_not_underflow_with_tiny_weights() -> None:
    assert effective_sample_size(np.full(4, 1e-250)) == pytest.approx(4)


@pytest.mark.parametrize("bad", [[-1.0, 2.0], [0.0, 0.0], [np.nan, 1.0]])
def test_impossible_weights_are_refused(bad: list[float]) -> None:
    with pytest.raises(WeightError):
        effective_sample_size(np.array(bad))
    with pytest.raises(WeightError):
        weighted_quantile(np.zeros(2), np.array(bad), np.array([0.5]))


def test_every_value_needs_one_weight() -> None:
    with pytest.raises(ShapeMismatchError, match="one weight"):
        weighted_histogram(np.zeros(3), np.ones(2), np.array([0.0, 1.0]))


def test_quantiles_are_steps_of_the_weighted_cdf() -> None:
    values = np.array([3.0, 1.0, 2.0])
    weights = np.array([0.2, 0.5, 0.3])
    levels = np.array([0.0, 0.5, 0.51, 0.8, 0.81, 1.0])
    np.testing.assert_array_equal(
        weighted_quantile(values, weights, levels), [1, 1, 2, 2, 3, 3]
    )


def test_doubling_a_frame_doubles_its_weight_everywhere() -> None:
    values = RNG.normal(size=30)
    weights = RNG.integers(1, 5, size=30)
    repeated = np.repeat(values, weights)
    ones = np.ones(len(repeated))
    levels = np.linspace(0, 1, 41)
    np.testing.assert_array_equal(
        weighted_quantile(values, weights, levels),
        weighted_quantile(repeated, ones, levels),
    )
    edges = np.linspace(-1, 1, 11)
    np.testing.assert_allclose(
        weighted_histogram(values, weights, edges),
        weighted_histogram(repeated, ones, edges),
    )


def test_nothing_is_lost_beyond_the_bins() -> None:
    edges = np.array([0.0, 1.0, 2.0])
    masses = weighted_histogram(
        np.array([-5.0, 0.0, 1.0, 2.0, 9.0]), np.array([1, 2, 3, 4, 10]), edges
    )
    np.testing.assert_allclose(masses, np.array([1, 2, 7, 10]) / 20)
    assert bin_values(np.array([2.0]), edges)[0] == 2


def test_shared_bins_ignore_what_has_hardly_any_weight() -> None:
    values = np.concatenate([np.linspace(0, 1, 1000), [1e6]])
    weights = np.concatenate([np.ones(1000), [1e-6]])
    edges = shared_edges(values, weights)
    assert len(edges) == 101
    assert -0.01 < edges[0] < edges[-1] < 1.01


def test_shared_bins_of_a_constant_have_a_width() -> None:
    assert np.ptp(shared_edges(np.full(5, 2.0), np.ones(5))) > 0


def test_kl_is_of_the_model_from_the_reference_not_the_reverse() -> None:
    p, q = np.array([0.75, 0.25]), np.array([0.5, 0.5])
    assert kl_divergence(p, q) == pytest.approx(0.75 * np.log(1.5) - 0.25 * np.log(2))
    assert kl_divergence(q, p) == pytest.approx(0.5 * np.log(4 / 3))


def test_kl_of_two_gaussians() -> None:
    edges = np.linspace(-8, 8, 2001)
    p, q = (np.diff(stats.norm(m, s).cdf(edges)) for m, s in ((0, 1), (0.5, 1.5)))
    exact = np.log(1.5) + (1 + 0.25) / (2 * 1.5**2) - 0.5
    assert kl_divergence(p / p.sum(), q / q.sum()) == pytest.approx(exact, abs=1e-4)


def test_what_the_reference_never_shows_adds_nothing() -> None:
    assert kl_divergence(np.array([1.0, 0.0]), np.array([0.5, 0.5])) == pytest.approx(
        np.log(2)
    )
    assert np.isinf(kl_divergence(np.array([0.5, 0.5]), np.array([1.0, 0.0])))


def test_js_is_symmetric_and_at_most_ln_2() -> None:
    p, q = RNG.dirichlet(np.ones(9), 2)
    assert js_divergence(p, q) == pytest.approx(float(js_divergence(q, p)))
    assert js_divergence(p, p) == pytest.approx(0, abs=1e-15)
    apart = js_divergence(np.array([1.0, 0.0]), np.array([0.0, 1.0]))
    assert apart == pytest.approx(np.log(2))


def test_the_pseudocount_is_one_effective_sample_a_bin() -> None:
    masses = np.array([0.5, 0.5, 0.0, 0.0])
    counts = np.array([5.0, 5.0, 0.0, 0.0]) + 1
    np.testing.assert_allclose(add_pseudocount(masses, 10), counts / counts.sum())


def test_kl_of_disjoint_sets_grows_with_the_data_instead_of_saturating() -> None:
    p, q = np.array([1.0, 0.0]), np.array([0.0, 1.0])
    found = [
        float(kl_divergence(add_pseudocount(p, n), add_pseudocount(q, n)))
        for n in (10, 100, 1000, 10_000)
    ]
    assert np.diff(found) == pytest.approx(np.log(10), rel=0.2)
