"""Steady state: walkers that reach a target begin anew at the basis states."""

import h5py
import numpy as np
import pytest
from pydantic import ValidationError

from apps.science.errors import ConfigError
from apps.science.we.binning import targets
from apps.science.we.config import Target, WEConfig

GRID = {"kind": "rectilinear", "edges": [[-0.7, -0.4, -0.1, 0.2]]}
MAB = {"kind": "mab", "nbins": [5]}
REGION = {"label": "right", "region": [[0.2, None]]}
POINT = {"label": "right", "pcoord": [0.5]}
CELLS = {"kind": "voronoi", "centers": [[-0.85], [-0.55], [-0.25], [0.05], [0.35]]}
CASES = [
    (GRID, REGION), (GRID, POINT), (MAB, REGION), (CELLS, REGION), (CELLS, POINT),
]  # fmt: skip


def config_for(bins, target, n_iterations: int = 25) -> WEConfig:
    return WEConfig(
        n_iterations=n_iterations, walkers_per_bin=5, bins=bins, targets=[target]
    )


def iterations(west):
    with h5py.File(west) as h5:
        for name in sorted(h5["iterations"]):
            group = h5["iterations"][name]
            yield (
                group["seg_index"]["weight"], group["seg_index"]["parent_id"],
                group["seg_index"]["endpoint_type"], group["pcoord"][:],
            )  # fmt: skip


@pytest.mark.parametrize(("bins", "target"), CASES)
def test_all_that_arrive_are_recycled_and_no_weight_is_lost(
    tmp_path, run_well, bins, target
) -> None:
    west = run_well(tmp_path / "run", config_for(bins, target), 3)
    n_recycled = 0
    *closed, _ = iterations(west)
    for n, (weight, parent, endpoint, pcoord) in enumerate(closed):
        assert weight.sum() == pytest.approx(1.0, abs=1e-10)
        arrived = pcoord[:, -1, 0] >= np.float32(0.2)
        np.testing.assert_array_equal(arrived, endpoint == 3)
        assert (pcoord[:, 0, 0] < 0.2).all()
        if n:
            fresh = parent < 0
            assert (pcoord[fresh, 0, 0] == -1.0).all()
            n_recycled += fresh.sum()
    assert n_recycled > 0


@pytest.mark.parametrize(("bins", "target"), CASES[1:4])
def test_a_recycled_run_repeats_itself(
    tmp_path, run_well, bins, target, assert_same
) -> None:
    for name in ("one", "other"):
        run_well(
            tmp_path / name, config_for(bins, target), 3, 0.05, 4.0, ("a", "b"),
            (0.7, 0.3), (-1.0, -0.9),
        )  # fmt: skip
    assert_same(tmp_path / "one", tmp_path / "other")


@pytest.mark.parametrize(("bins", "target"), CASES[1:4])
def test_a_recycled_run_continues_as_if_it_had_not_stopped(
    tmp_path, run_well, bins, target, assert_same
) -> None:
    run_well(tmp_path / "whole", config_for(bins, target, 24), 3)
    for n_iterations in (7, 15, 24):
        run_well(tmp_path / "cut", config_for(bins, target, n_iterations), 3)
    assert_same(tmp_path / "whole", tmp_path / "cut")


@pytest.mark.random_outcome
def test_recycled_walkers_begin_by_the_probabilities_of_the_starts(
    tmp_path, run_well, margin
) -> None:
    config = WEConfig(
        n_iterations=40, walkers_per_bin=48, bins=GRID,
        targets=[{"region": [[-0.8, None]]}],
    )  # fmt: skip
    west = run_well(
        tmp_path / "run", config, 5, 0.05, 4.0, ("a", "b"), (0.75, 0.25), (-1.0, -0.9)
    )
    with h5py.File(west) as h5:
        begun = np.concatenate(
            [
                group["new_weights/new_init_pcoord"][:, 0]
                for group in h5["iterations"].values()
                if "new_weights" in group
            ]
        )
    margin("recycled", len(begun), above=200)
    margin("share of a", np.mean(begun == -1.0), near=0.75, within=0.15)


def test_a_target_between_two_open_ends_is_binned_in_two_dimensions() -> None:
    target = Target(region=[[0.0, 1.0], [None, None]])
    config = WEConfig(
        n_iterations=1, bins={"kind": "mab", "nbins": [3, 3]}, targets=[target]
    )
    assert targets.representative(target) == [0.5, 0.0]
    assert targets.holds(config, target, [0.0, -50.0])
    assert not targets.holds(config, target, [1.0, 0.0])


@pytest.mark.parametrize(
    ("bins", "target", "words"),
    [
        (GRID, {"pcoord": [0.5, 0.5]}, "outside the space"),
        (GRID, {"pcoord": [float("nan")]}, "outside the space"),
        (GRID, {"region": [[1.0, 0.5]]}, "below the high"),
        (GRID, {"region": [[0.5, None]], "pcoord": [1.0]}, "not both"),
        (GRID, {}, "not both"),
        (MAB, POINT, "adaptive bins move"),
    ],
)
def test_targets_that_cannot_be_are_refused(bins, target, words) -> None:
    with pytest.raises(ValidationError, match=words):
        config_for(bins, target)


def test_overlapping_targets_are_refused() -> None:
    with pytest.raises(ValidationError, match="overlap"):
        WEConfig(
            n_iterations=1,
            bins=MAB,
            targets=[REGION, {"label": "far", "region": [[0.9, None]]}],
        )


@pytest.mark.parametrize(("bins", "target"), CASES)
def test_a_target_that_holds_a_start_is_refused(
    tmp_path, run_well, bins, target
) -> None:
    with pytest.raises(ConfigError, match="holds the starting states b"):
        run_well(
            tmp_path / "run", config_for(bins, target), 1, 0.05, 4.0, ("a", "b"),
            (0.5, 0.5), (-1.0, 0.6),
        )  # fmt: skip


@pytest.mark.parametrize(
    ("bins", "near"), [(GRID, {"pcoord": [0.21]}), (CELLS, {"pcoord": [0.21]})]
)
def test_two_targets_in_one_bin_are_refused(bins, near) -> None:
    config = WEConfig(
        n_iterations=1, bins=bins, targets=[POINT, {"label": "near"} | near]
    )
    with pytest.raises(ConfigError, match=r"'near' lies in the bin of .* 'right'"):
        targets.check_starts(config, ["a"], [1.0], [[-1.0]])


@pytest.mark.parametrize("probability", [0.0, -0.5, float("nan"), float("inf")])
def test_a_probability_that_is_none_is_named(probability) -> None:
    config = WEConfig(n_iterations=1, bins=GRID)
    with pytest.raises(ConfigError, match=r"above zero; found b \("):
        targets.check_starts(config, ["a", "b"], [1.0, probability], [[0.0], [0.1]])


def test_a_start_without_probability_is_refused(tmp_path, run_well) -> None:
    with pytest.raises(ConfigError, match="b \\(0\\)"):
        run_well(
            tmp_path / "run", config_for(MAB, REGION), 1, 0.05, 4.0, ("a", "b"),
            (1.0, 0.0), (-1.0, -0.9),
        )  # fmt: skip
