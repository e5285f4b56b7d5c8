from types import SimpleNamespace

import numpy as np
import pytest
import torch

from apps.science.statistics import effective_sample_size
from apps.science.tasks.force_matching.config import TrainingConfig
from apps.science.tasks.force_matching.data import order_batches
from apps.science.tasks.force_matching.few_frames import describe_few_frames
from apps.science.tasks.force_matching.loss import (
    frame_factors,
    shape_weights,
    squared_errors,
)

WEIGHT = np.random.default_rng(1).dirichlet(np.full(200, 0.2))


def test_factors_average_to_one_and_follow_the_weights() -> None:
    factors, probability = frame_factors([WEIGHT], TrainingConfig())
    assert probability is None
    assert factors.mean() == pytest.approx(1.0)
    np.testing.assert_allclose(factors, len(WEIGHT) * WEIGHT / WEIGHT.sum())


def test_without_weights_all_frames_count_alike() -> None:
    factors, _ = frame_factors([WEIGHT], TrainingConfig(weighted=False))
    np.testing.assert_allclose(factors, 1.0)


@pytest.mark.parametrize("batch_size", [1, 7, 200])
def test_batch_means_average_to_the_weighted_mean_at_any_size(batch_size: int) -> None:
    error = np.random.default_rng(2).random(200)
    factors, _ = frame_factors([WEIGHT], TrainingConfig())
    batches = order_batches(200, batch_size, seed=3, epoch=0)
    sizes = np.array([len(b) for b in batches])
    means = np.array([(factors[b] * error[b]).mean() for b in batches])
    assert np.ptp(sizes) <= 1
    assert (sizes * means).sum() / 200 == pytest.approx((WEIGHT * error).sum())


@pytest.mark.random_outcome
def test_drawing_by_weight_estimates_the_weighted_mean(margin) -> None:
    error = np.random.default_rng(2).random(200)
    factors, p = frame_factors([WEIGHT], TrainingConfig(sampling="weighted"))
    drawn = np.concatenate(
        [b for e in range(400) for b in order_batches(200, 50, 3, e, p)]
    )
    np.testing.assert_allclose(factors, 1.0)
    off = error[drawn].mean() - (WEIGHT * error).sum()
    margin("off", off, near=0.0, within=0.01)


def test_tempering_and_clipping_raise_the_effective_sample_size() -> None:
    plain = effective_sample_size(shape_weights(WEIGHT, TrainingConfig()))
    for shaped in (
        TrainingConfig(weight_exponent=0.5),
        TrainingConfig(weight_clip_quantile=0.9),
    ):
        weights = shape_weights(WEIGHT, shaped)
        assert weights.sum() == pytest.approx(1.0)
        assert effective_sample_size(weights) > 1.2 * plain


def test_tempered_weights_make_a_small_set_larger() -> None:
    protein = SimpleNamespace(
        train=SimpleNamespace(weight=WEIGHT), embeddings=torch.zeros(10)
    )
    n_raw, n_tempered = (
        effective_sample_size(WEIGHT**exponent) for exponent in (1.0, 0.5)
    )
    between = [torch.zeros(round(30 * (n_raw + n_tempered) / 2))]
    said = describe_few_frames([protein], TrainingConfig(), between)
    assert f"{n_raw:,.0f} effective frames" in said
    tempered = TrainingConfig(weight_exponent=0.5)
    assert not describe_few_frames([protein], tempered, between)


def test_an_epoch_takes_every_frame_once_in_an_order_of_its_own() -> None:
    first, again, second = (
        np.concatenate(order_batches(50, 8, 1, epoch)) for epoch in (0, 0, 1)
    )
    np.testing.assert_array_equal(np.sort(first), np.arange(50))
    np.testing.assert_array_equal(first, again)
    assert (first != second).any()


def test_error_is_the_mean_square_of_a_force_component() -> None:
    predicted, target = torch.ones(2, 5, 3), torch.zeros(2, 5, 3)
    torch.testing.assert_close(squared_errors(predicted, target), torch.ones(2))
