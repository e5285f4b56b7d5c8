"""Adaptive bins in float64: stock's where stock is right, right where it is not."""

import pickle

import numpy as np
import pytest
from pydantic import ValidationError
from westpa.core._rc import bins_from_yaml_dict, detect_mab_mapper
from westpa.core.binning.mab import MABBinMapper

from apps.science.errors import ShapeMismatchError
from apps.science.we.binning.mab import Float64MABBinMapper
from apps.science.we.config import MabBins


def walkers(rng, n: int, n_dim: int, smallest: float = 1e-12) -> np.ndarray:
    """Return (2n, n_dim + 2): starts, then ends, as MABDriver sends them."""
    points = rng.normal(size=(2 * n, n_dim)).astype(np.float32).astype(float)
    weights = 10.0 ** rng.uniform(np.log10(smallest), 0, size=n)
    weights = np.tile(weights / weights.sum(), 2).astype(np.float32).astype(float)
    return np.column_stack([points, weights, np.repeat([0.0, 1.0], n)])


OPTIONS = [
    {"nbins": [5]},
    {"nbins": [1]},
    {"nbins": [4, 3]},
    {"nbins": [3, 2, 2]},
    {"nbins": [5], "bottleneck": False},
    {"nbins": [5], "direction": [1]},
    {"nbins": [5], "direction": [-1]},
    {"nbins": [5], "direction": [86]},
    {"nbins": [4, 3], "direction": [1, 86]},
    {"nbins": [4, 3], "skip": [0, 1]},
    {"nbins": [4, 3], "skip": [1, 0], "direction": [0, -1], "bottleneck": False},
]


@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize("n", [1, 2, 3, 40])
def test_ordinary_weights_fall_in_the_bins_of_stock(options, n) -> None:
    rng = np.random.default_rng(n)
    stock, ours = MABBinMapper(**options), Float64MABBinMapper(**options)
    assert ours.nbins == stock.nbins
    for _ in range(5):
        rows = walkers(rng, n, len(options["nbins"]))
        expected = stock.assign(rows, output=np.zeros(2 * n, dtype=np.uint16))
        np.testing.assert_array_equal(ours.assign(rows), expected)


def bottleneck_rows(scale: float) -> np.ndarray:
    """Six walkers uphill; the fourth outweighs all before it the most."""
    weights = scale * np.array([1e6, 1e5, 1e4, 1e3, 1e-3, 1e-4])
    ends = np.column_stack([np.arange(6.0), weights, np.ones(6)])
    return np.concatenate([ends * [1, 1, 0], ends])


@pytest.mark.parametrize("scale", [1e-6, 1e-20, 1e-40, 1e-53, 1e-100])
def test_the_bottleneck_is_found_at_any_weight(scale) -> None:
    mapper = Float64MABBinMapper([5], direction=[1])
    found = mapper.assign(bottleneck_rows(scale))[6:]
    expected = mapper.assign(bottleneck_rows(1e-6))[6:]
    np.testing.assert_array_equal(found, expected)
    bottleneck = mapper.nbins - 1
    np.testing.assert_array_equal(np.flatnonzero(found == bottleneck), [3])


def test_stock_misses_that_bottleneck() -> None:
    stock = MABBinMapper([5], direction=[1])
    with np.errstate(all="ignore"):
        found = stock.assign(bottleneck_rows(1e-53))[6:]
    assert not np.array_equal(np.flatnonzero(found == stock.nbins - 1), [3])


def test_masked_walkers_keep_their_bin() -> None:
    rows = walkers(np.random.default_rng(1), 10, 1)
    output = np.full(20, 99, dtype=np.uint16)
    mask = np.arange(20) % 3 == 0
    Float64MABBinMapper([5]).assign(rows, mask, output)
    assert (output[~mask] == 99).all()
    assert (output[mask] != 99).all()


def test_a_recycled_walker_falls_where_the_bins_have_its_start() -> None:
    mapper = Float64MABBinMapper([5])
    ends = np.column_stack([np.arange(6.0), np.full(6, 1 / 6), np.ones(6)])
    mapper.assign(ends)
    assert mapper.assign([[0.5]])[0] == 0
    assert mapper.assign([[4.5]])[0] == 4
    assert MABBinMapper([5]).assign([[0.5]])[0] == 4  # the leading bin


def test_what_it_remembers_does_not_change_its_hash() -> None:
    mapper = Float64MABBinMapper([5])
    before = mapper.pickle_and_hash()[1]
    mapper.assign(walkers(np.random.default_rng(1), 10, 1))
    assert mapper.pickle_and_hash()[1] == before
    assert pickle.loads(pickle.dumps(mapper)).nbins == mapper.nbins


def test_westpa_takes_it_for_mab_by_its_path() -> None:
    path = "apps.science.we.binning.mab.Float64MABBinMapper"
    assert detect_mab_mapper(bins_from_yaml_dict({"type": path, "nbins": [4]}))


def test_points_of_too_few_dimensions_are_refused() -> None:
    with pytest.raises(ShapeMismatchError, match="2 dimensions"):
        Float64MABBinMapper([3, 3]).assign(np.zeros((4, 1)))


@pytest.mark.parametrize(
    "options", [{"direction": [0]}, {"skip": [True]}, {"skip": [True, True]},
                {"nbins": [0, 3]}, {"direction": [2, 0]}],
)  # fmt: skip
def test_options_that_do_not_fit_are_refused(options) -> None:
    with pytest.raises(ValidationError):
        MabBins(**({"nbins": [3, 3]} | options))
