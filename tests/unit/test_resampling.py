"""Blocks, bootstrap and floor."""

import numpy as np
import pytest

from apps.science.resampling import (
    MAX_BLOCKS,
    assign_blocks,
    compare_blocks,
    few_blocks_factor,
    plan_resampling,
    sum_blocks,
)


def mean_gap(a, b, _ess_a, _ess_b):
    """Return |mean a - mean b| of rows of (sum of values, number)."""
    return np.abs(a[:, 0] / a[:, 1] - b[:, 0] / b[:, 1])


def lineage_sums(rng, n_lineages, mean):
    """Return sums of 20 frames a lineage that share most of their scatter."""
    values = (
        mean + rng.normal(size=(n_lineages, 1)) + rng.normal(0, 0.3, (n_lineages, 20))
    )
    return np.stack([values.sum(1), np.full(n_lineages, 20.0)], axis=1)


def test_a_block_is_a_lineage_when_there_are_enough() -> None:
    lineage = np.repeat(np.arange(100, 112), 5)
    block = assign_blocks(lineage, np.arange(60.0))
    np.testing.assert_array_equal(block, np.repeat(np.arange(12), 5))


def test_few_long_walks_are_cut_along_time() -> None:
    lineage = np.tile([0, 1], 100)
    time = np.repeat(np.arange(100.0), 2)
    block = assign_blocks(lineage, time)
    assert block.max() == 19
    np.testing.assert_array_equal(np.bincount(block), 10)
    for one in range(20):
        rows = np.flatnonzero(block == one)
        assert len(set(lineage[rows])) == 1
        assert np.ptp(time[rows]) == 9


def test_very_many_lineages_are_pooled_but_never_cut() -> None:
    lineage = np.repeat(np.arange(1000), 2)
    block = assign_blocks(lineage, np.zeros(2000))
    assert block.max() == MAX_BLOCKS - 1
    np.testing.assert_array_equal(block[::2], block[1::2])


def test_block_sums_are_sums() -> None:
    rng = np.random.default_rng(0)
    block, index = rng.integers(0, 3, 40), rng.integers(0, 4, (40, 2))
    values = rng.random((40, 2))
    expected = np.zeros((3, 4))
    for b, row, value in zip(block, index, values, strict=True):
        for i, v in zip(row, value, strict=True):
            expected[b, i] += v
    np.testing.assert_allclose(sum_blocks(block, 3, index, values, 4), expected)


def test_the_bootstrap_is_that_of_resampled_lineages() -> None:
    rng = np.random.default_rng(1)
    a, b = lineage_sums(rng, 9, 5.0), lineage_sums(rng, 11, 0.0)
    plan = plan_resampling(9, 11, 300, seed=3)
    figure = compare_blocks(mean_gap, (a, b), (9, 11), plan, "x")
    rows = []
    for counts_a, counts_b in zip(plan.reference, plan.model, strict=True):
        chosen_a = np.repeat(a, counts_a.astype(int), axis=0)
        chosen_b = np.repeat(b, counts_b.astype(int), axis=0)
        rows.append(chosen_a[:, 0].mean() / 20 - chosen_b[:, 0].mean() / 20)
    low, high = np.percentile(rows, [2.5, 97.5]) - (np.mean(rows) - figure.value)
    factor = few_blocks_factor(9)
    bias = max(0.0, figure.bias)
    assert figure.value - figure.low == pytest.approx(
        factor * (figure.value - low) + bias
    )
    assert figure.high - figure.value == pytest.approx(factor * (high - figure.value))
    assert figure.low < figure.value < figure.high


@pytest.mark.random_outcome
def test_95_percent_intervals_hold_the_truth_95_percent_of_the_time(margin) -> None:
    """Frames within a lineage agree, so resampling frames would cover far less."""
    rng = np.random.default_rng(2)
    plan = plan_resampling(30, 30, 200, seed=4)
    hits = 0
    for _ in range(1200):
        sums = lineage_sums(rng, 30, 5.0), lineage_sums(rng, 30, 0.0)
        figure = compare_blocks(mean_gap, sums, (30, 30), plan, "")
        hits += figure.low <= 5.0 <= figure.high
    margin("hits", hits / 1200, above=0.90, below=0.98)


@pytest.mark.random_outcome
def test_intervals_of_eight_lineages_hold_the_truth_as_often(margin) -> None:
    """The bare percentiles of so few hold it in 89 %."""
    rng = np.random.default_rng(6)
    plan = plan_resampling(8, 8, 200, seed=4)
    hits = 0
    for _ in range(1200):
        sums = lineage_sums(rng, 8, 5.0), lineage_sums(rng, 8, 0.0)
        figure = compare_blocks(mean_gap, sums, (8, 8), plan, "")
        hits += figure.low <= 5.0 <= figure.high
    margin("hits", hits / 1200, above=0.905)


def test_many_blocks_need_no_widening() -> None:
    assert few_blocks_factor(256) == pytest.approx(1.0, abs=0.01)
    assert few_blocks_factor(8) == pytest.approx(1.206 * np.sqrt(8 / 7), rel=1e-3)
    assert few_blocks_factor(1) == np.inf


@pytest.mark.random_outcome
def test_the_floor_is_half_of_the_reference_against_the_other(margin) -> None:
    rng = np.random.default_rng(3)
    figures = [
        compare_blocks(
            mean_gap, (lineage_sums(rng, 40, 5.0), lineage_sums(rng, 40, 0.0)),
            (40, 40), plan_resampling(40, 40, 50, seed=seed), "",
        )
        for seed in range(24)
    ]  # fmt: skip
    # |difference of two means of 20 lineages of spread 1|
    exact = np.sqrt(2 / 20) * np.sqrt(2 / np.pi)
    floor = np.mean([figure.floor for figure in figures])
    margin("floor / exact", floor / exact, near=1.0, within=0.2)
    value = np.mean([figure.value for figure in figures])
    margin("value", value, near=5.0, within=0.25)


def test_halves_split_the_reference_in_two() -> None:
    plan = plan_resampling(11, 3, 10, seed=6)
    np.testing.assert_array_equal(plan.halves.sum(1), 5)
    np.testing.assert_array_equal(plan.reference.sum(1), 11)
    assert len(np.unique(plan.halves, axis=0)) > 10


def test_a_single_block_has_no_floor() -> None:
    one = np.array([[3.0, 1.0]])
    figure = compare_blocks(
        mean_gap, (one, one), (1, 1), plan_resampling(1, 1, 9, 0), ""
    )
    assert np.isnan(figure.floor)
    assert figure.value == 0.0


def test_the_same_seed_draws_the_same_plan() -> None:
    first, again = (plan_resampling(20, 20, 10, seed=8) for _ in range(2))
    np.testing.assert_array_equal(first.reference, again.reference)
    np.testing.assert_array_equal(first.halves, again.halves)
    assert (plan_resampling(20, 20, 10, seed=9).reference != first.reference).any()
