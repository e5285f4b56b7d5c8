"""Means of series whose memory is known, with intervals that must hold them."""

import numpy as np
import pytest
from scipy.signal import lfilter

from apps.science.correlated_mean import FEW_CORRELATION_TIMES, estimate_mean
from apps.science.errors import ConfigError

LEVEL = 20.0


def remembering(n: int, time: float, fast_share: float, rng) -> np.ndarray:
    """Return an AR(1) series with a correlation e^-1 at ``time``, and white noise."""
    a = np.exp(-1.0 / time)
    noise = rng.normal(size=n + round(10 * time)) * np.sqrt(1 - a * a)
    slow = lfilter([1.0], [1.0, -a], noise)[-n:]
    return LEVEL + slow + np.sqrt(fast_share) * rng.normal(size=n)


@pytest.mark.random_outcome
@pytest.mark.parametrize(
    ("time", "fast_share"), [(30, 0.0), (50, 0.0), (30, 2.0), (50, 2.0)]
)
def test_the_interval_holds_the_mean_of_a_slow_series(time, fast_share, margin) -> None:
    # a sum of autocorrelations up to the first negative one holds it in 55 to 66 %
    rng = np.random.default_rng(4)
    found = [estimate_mean(remembering(800, time, fast_share, rng)) for _ in range(150)]
    share = np.mean([one.low < LEVEL < one.high for one in found])
    margin("share", share, above=0.84)  # 0.94 to 0.97 of many; 150 are 0.02 off


@pytest.mark.random_outcome
def test_the_correlation_time_sees_a_slow_part_under_fast_noise(margin) -> None:
    rng = np.random.default_rng(5)
    found = [
        estimate_mean(remembering(4000, 50, 3.0, rng)).correlation_time
        for _ in range(20)
    ]
    a = np.exp(-1 / 50)
    exact = ((1 + a) / (1 - a) + 3.0) / 4.0
    margin("time / exact", float(np.median(found)) / exact, near=1.0, within=0.35)


@pytest.mark.random_outcome
def test_white_noise_costs_little_more_than_its_standard_error(margin) -> None:
    x = LEVEL + np.random.default_rng(6).normal(size=2000)
    found = estimate_mean(x)
    plain = 1.96 * x.std() / np.sqrt(len(x))
    width = (found.high - found.low) / 2 / plain
    margin("width", width, above=0.7, below=1.8)
    margin("correlation time", found.correlation_time, below=2.5)
    assert not found.is_short


@pytest.mark.random_outcome
def test_a_series_of_few_correlation_times_is_called_short(margin) -> None:
    rng = np.random.default_rng(7)
    found = estimate_mean(remembering(500, 50, 0.0, rng))
    assert found.is_short == (found.n_correlation_times < FEW_CORRELATION_TIMES)
    margin("correlation times", found.n_correlation_times, below=30)
    assert found.n_correlation_times == pytest.approx(500 / found.correlation_time)


def test_scale_and_level_go_through() -> None:
    x = np.random.default_rng(8).normal(size=300)
    one, other = estimate_mean(x), estimate_mean(1e-12 * x - 3e-12)
    assert other.low == pytest.approx(1e-12 * one.low - 3e-12, rel=1e-6)
    assert other.correlation_time == pytest.approx(one.correlation_time, rel=1e-6)


def test_a_mean_of_what_is_never_negative_stays_positive() -> None:
    rare = np.zeros(50)
    rare[[3, 30]] = 1e-9
    found = estimate_mean(rare)
    assert 0 < found.low < found.mean < found.high < np.inf


def test_a_constant_series_is_its_mean() -> None:
    found = estimate_mean(np.full(10, 3.0))
    assert (found.low, found.mean, found.high) == (3.0, 3.0, 3.0)


@pytest.mark.parametrize("series", [[1.0], [1.0, np.nan, 2.0], []])
def test_what_has_no_interval_is_refused(series) -> None:
    with pytest.raises(ConfigError, match="two finite numbers"):
        estimate_mean(np.array(series))
