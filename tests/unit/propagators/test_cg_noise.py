"""The noise of packed dynamics: a function of seed, step, bead and axis alone."""

import numpy as np
import pytest
import torch
from scipy import stats

from apps.science.propagators._packed import counter_normals, hash_counter

MASK = (1 << 64) - 1


def mix(counter: int) -> int:
    """Return splitmix64's finaliser of counter * golden, in whole numbers."""
    z = counter * 0x9E3779B97F4A7C15 & MASK
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9 & MASK
    z = (z ^ z >> 27) * 0x94D049BB133111EB & MASK
    return z ^ z >> 31


def keys(*seeds: int) -> torch.Tensor:
    return hash_counter(torch.tensor(seeds, dtype=torch.int64))


def test_the_hash_is_splitmix64() -> None:
    counters = [1, 2, 12345, 2**62 + 17, 2**63 - 1]
    found = hash_counter(torch.tensor(counters)).numpy().view(np.uint64)
    assert [int(f) for f in found] == [mix(c) for c in counters]


@pytest.mark.random_outcome
def test_numbers_are_normal_and_unrelated(margin, other_seed) -> None:
    x = counter_normals(keys(*range(other_seed, other_seed + 50)), 0, 200, 10).numpy()
    # beyond 2.4 with a chance of 2 exp(-2 * 2.4^2) = 2e-5
    distance = stats.kstest(x.ravel(), "norm").statistic * np.sqrt(x.size)
    margin("Kolmogorov distance", distance, below=2.4)
    n = x.size
    for axis in range(4):
        ahead = np.take(x, range(1, x.shape[axis]), axis).ravel()
        behind = np.take(x, range(x.shape[axis] - 1), axis).ravel()
        z = (ahead * behind).mean() * np.sqrt(len(ahead))
        margin(f"axis {axis}: correlation, sigma", z, near=0.0, within=5.0)
    pairs = x.reshape(200, 50, 30)  # the two halves of one Box-Muller pair
    z = (pairs[..., :15] * pairs[..., 15:]).mean() * np.sqrt(n / 2)
    margin("pairs: correlation, sigma", z, near=0.0, within=5.0)
    # 19 are expected
    margin("beyond 4 sigma", (np.abs(x) > 4).sum(), above=0)


@pytest.mark.parametrize("cut", [1, 7, 50])
def test_steps_drawn_together_or_apart_are_the_same(cut: int) -> None:
    whole = counter_normals(keys(3, 4), 0, 100, 5)
    parts = [
        counter_normals(keys(3, 4), s, min(cut, 100 - s), 5) for s in range(0, 100, cut)
    ]
    torch.testing.assert_close(whole, torch.cat(parts), atol=2e-6, rtol=0)


def test_company_plays_no_part() -> None:
    together = counter_normals(keys(*range(64)), 5, 3, 9)
    alone = counter_normals(keys(41), 5, 3, 9)
    torch.testing.assert_close(together[:, 41:42], alone, atol=2e-6, rtol=0)


def test_an_odd_number_of_components_is_filled() -> None:
    assert counter_normals(keys(1), 0, 2, 3).shape == (2, 1, 3, 3)
