import numpy as np
import pytest

from apps.science.learning.ranks import Ranks
from apps.science.tasks.force_matching.batches import Batches
from apps.science.tasks.force_matching.config import TrainingConfig
from apps.science.tasks.force_matching.loss import frame_factors

COUNTS = [50, 21, 4]
WEIGHTS = [np.random.default_rng(n).dirichlet(np.full(n, 0.5)) for n in COUNTS]
ERRORS = [np.random.default_rng(n + 9).random(n) for n in COUNTS]


def build(**settings: object) -> tuple[Batches, np.ndarray]:
    config = TrainingConfig(batch_size=8, **settings)  # type: ignore[arg-type]
    factors, probability = frame_factors(WEIGHTS, config)
    return Batches(COUNTS, config, 5, probability), factors


@pytest.mark.parametrize("mixed", [True, False])
def test_an_epoch_takes_every_frame_of_every_protein_once(mixed: bool) -> None:
    batches, _ = build(mixed_batches=mixed)
    order = batches.order(3)
    assert len(order) == batches.n_batches
    np.testing.assert_array_equal(np.sort(np.concatenate(order)), np.arange(75))
    parts = [list(batches.split(batch)) for batch in order]
    assert any(len(part) > 1 for part in parts) == mixed
    for batch, part in zip(order, parts, strict=True):
        places = np.concatenate([p for _, p, _ in part])
        np.testing.assert_array_equal(np.sort(places), np.arange(len(batch)))


@pytest.mark.parametrize("mixed", [True, False])
@pytest.mark.parametrize("balance", ["frames", "equal"])
def test_batches_add_up_to_the_balanced_weighted_loss(
    balance: str, mixed: bool
) -> None:
    """Whatever the sizes of batches, their mean is the loss of the whole set."""
    batches, factors = build(protein_balance=balance, mixed_batches=mixed)
    errors = np.concatenate(ERRORS)
    steps = [
        (factors[b] * errors[b]).sum() / batches.mean_size for b in batches.order(0)
    ]
    each = np.array([w @ e for w, e in zip(WEIGHTS, ERRORS, strict=True)])
    shares = np.array(COUNTS) / 75 if balance == "frames" else np.full(3, 1 / 3)
    assert np.mean(steps) == pytest.approx(shares @ each)
    assert factors.mean() == pytest.approx(1.0)


@pytest.mark.random_outcome
@pytest.mark.parametrize("mixed", [True, False])
@pytest.mark.parametrize("balance", ["frames", "equal"])
def test_drawn_batches_estimate_the_balanced_weighted_loss(
    balance: str, mixed: bool, margin
) -> None:
    batches, factors = build(
        protein_balance=balance, mixed_batches=mixed, sampling="weighted"
    )
    errors = np.concatenate(ERRORS)
    means = [errors[b].mean() for e in range(800) for b in batches.order(e)]
    each = np.array([w @ e for w, e in zip(WEIGHTS, ERRORS, strict=True)])
    shares = np.array(COUNTS) / 75 if balance == "frames" else np.full(3, 1 / 3)
    np.testing.assert_allclose(factors, 1.0)
    margin("off", np.mean(means) - shares @ each, near=0.0, within=0.01)


@pytest.mark.parametrize("n", [0, 1, 2, 7, 64])
def test_ranks_share_every_place_once(n: int) -> None:
    parts = [Ranks(rank, 3, "cpu").share(n) for rank in range(3)]
    np.testing.assert_array_equal(np.sort(np.concatenate(parts)), np.arange(n))
    assert max(map(len, parts)) - min(map(len, parts)) <= 1
