"""A walker belongs to the nearest centre."""

import pickle

import h5py
import numpy as np
import pytest
from pydantic import ValidationError
from westpa.core._rc import bins_from_yaml_dict
from westpa.core.binning import RecursiveBinMapper, VoronoiBinMapper
from westpa.tools.binning import mapper_from_hdf5

from apps.science.errors import ConfigError, ShapeMismatchError
from apps.science.we.binning.voronoi import EuclideanVoronoiBinMapper, compute_distances
from apps.science.we.config import VoronoiBins, WEConfig

CENTERS = [[-0.9], [-0.6], [-0.3], [0.0], [0.4], [0.9]]


def nearest(points, centers, scale=1.0) -> np.ndarray:
    apart = (np.asarray(points)[:, None] - np.asarray(centers)) / scale
    return np.linalg.norm(apart, axis=-1).argmin(axis=1)


@pytest.mark.parametrize("scale", [None, [1.0, 20.0]])
def test_points_fall_to_the_nearest_center_as_in_stock(scale) -> None:
    rng = np.random.default_rng(3)
    centers, points = rng.normal(size=(9, 2)), rng.normal(size=(400, 2))
    found = EuclideanVoronoiBinMapper(centers, scale).assign(points)
    np.testing.assert_array_equal(found, nearest(points, centers, scale or 1.0))
    stock = VoronoiBinMapper(compute_distances, centers, dfkwargs={"scale": scale})
    np.testing.assert_array_equal(found, stock.assign(points))


def test_a_scale_decides_which_center_is_near() -> None:
    centers = [[0.0, 0.0], [1.0, 100.0]]
    plain = EuclideanVoronoiBinMapper(centers)
    scaled = EuclideanVoronoiBinMapper(centers, [1.0, 1000.0])
    assert plain.assign([[0.9, 10.0]])[0] == 0
    assert scaled.assign([[0.9, 10.0]])[0] == 1


def test_a_border_is_not_blurred_by_rounding() -> None:
    mapper = EuclideanVoronoiBinMapper([[0.0], [200.0]])
    np.testing.assert_array_equal(mapper.assign([[100 - 1e-9], [100 + 1e-9]]), [0, 1])


def test_masked_points_keep_their_bin() -> None:
    output = np.full(4, 99, dtype=np.uint16)
    mask = np.array([True, False, True, False])
    EuclideanVoronoiBinMapper(CENTERS).assign(np.zeros((4, 1)), mask, output)
    np.testing.assert_array_equal(output, [3, 99, 3, 99])


def test_it_nests_within_target_regions() -> None:
    mapper = bins_from_yaml_dict(
        {
            "type": "RecursiveBinMapper",
            "base": {
                "type": "apps.science.we.binning.region.RegionBinMapper",
                "regions": [[[0.5, float("inf")]]],
            },
            "mappers": [
                {"type": "apps.science.we.binning.voronoi.EuclideanVoronoiBinMapper",
                 "centers": CENTERS, "at": [float("nan")]}
            ],
        }
    )  # fmt: skip
    assert isinstance(mapper, RecursiveBinMapper)
    points = np.linspace(-1, 0.49, 50)[:, None]
    np.testing.assert_array_equal(mapper.assign(points), 1 + nearest(points, CENTERS))
    assert mapper.assign(np.array([[0.6]]))[0] == 0


def test_a_run_is_binned_by_the_nearest_center(tmp_path, run_toy) -> None:
    folder = tmp_path / "run"
    records = run_toy(folder, 8, {"kind": "voronoi", "centers": CENTERS})
    assert records[-1].summary["n_bins_occupied"] > 1
    with h5py.File(folder / "west.h5") as west:
        for record in records:
            group = west[f"iterations/iter_{record.n_iter:08d}"]
            ends = group["pcoord"][:, -1]
            cells = nearest(ends, CENTERS)
            assert record.summary["n_bins_occupied"] == len(set(cells))
            if record.n_iter == 1:  # its walkers were not binned yet
                continue
            stored = mapper_from_hdf5(west["bin_topologies"], group.attrs["binhash"])
            np.testing.assert_array_equal(stored[0].assign(ends), cells)
            weight = sum(s.weight for s in record.segments)
            assert weight == pytest.approx(1.0, abs=1e-12)


def test_a_run_goes_on_as_if_it_had_not_stopped(tmp_path, run_toy, assert_same) -> None:
    bins = {"kind": "voronoi", "centers": CENTERS, "scale": [0.5]}
    run_toy(tmp_path / "whole", 6, bins)
    run_toy(tmp_path / "cut", 3, bins)
    run_toy(tmp_path / "cut", 6, bins)
    assert_same(tmp_path / "whole", tmp_path / "cut")


def test_it_can_be_pickled_for_west_h5() -> None:
    mapper = EuclideanVoronoiBinMapper(CENTERS, [2.0])
    again = pickle.loads(pickle.dumps(mapper))
    assert again.pickle_and_hash()[1] == mapper.pickle_and_hash()[1]
    assert again.assign([[0.5]])[0] == 4


def test_points_of_another_dimension_are_refused() -> None:
    with pytest.raises(ShapeMismatchError, match="1 dimensions"):
        EuclideanVoronoiBinMapper(CENTERS).assign(np.zeros((4, 2)))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"centers": [[0.0]]}, "2 centres or more; found 1"),
        ({"centers": []}, "2 centres or more; found 0"),
        ({"centers": [[0.0], [1.0, 2.0]]}, r"found centres of \[1, 2\] dimensions"),
        ({"centers": [[], []]}, "one dimension for each"),
        ({"centers": [[0.0, 1.0], [2.0, 1.0], [0.0, 1.0]]}, r"\[0.0, 1.0\] .* once"),
        ({"centers": [[0.0], [float("nan")]]}, "finite"),
        ({"centers": CENTERS, "scale": [1.0, 2.0]}, "each of 1"),
        ({"centers": CENTERS, "scale": [0.0]}, "positive"),
    ],
)
def test_centers_that_make_no_cells_are_refused(options, words) -> None:
    with pytest.raises(ValidationError, match=words):
        VoronoiBins(**options)


def test_centers_of_another_dimension_than_the_coordinate_are_refused(
    tmp_path, run_toy
) -> None:
    bins = {"kind": "voronoi", "centers": [[0.0, 0.0], [1.0, 0.0]]}
    with pytest.raises(ConfigError, match="2 progress coordinates"):
        run_toy(tmp_path / "run", 1, bins)


def test_a_target_of_another_dimension_lies_outside_the_space() -> None:
    with pytest.raises(ValidationError, match="outside the space"):
        WEConfig(
            n_iterations=1,
            bins={"kind": "voronoi", "centers": CENTERS},
            targets=[{"pcoord": [0.4, 0.0]}],
        )
