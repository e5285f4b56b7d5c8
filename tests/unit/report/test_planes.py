"""Basins, planes and densities of the slow coordinates, against known mixtures."""

import json
from pathlib import Path

import numpy as np
import pytest

from apps.science.arrays import Array
from apps.science.segments.frames import WeightedFrames
from campaign.report.kit.canvas import Canvas
from campaign.report.parts.judged.clouds import Basins, Cloud, name_walks
from campaign.report.parts.judged.density_pictures import (
    draw_density,
    further_densities,
    smooth,
)
from campaign.report.parts.judged.landscape import make_planes
from campaign.report.parts.judged.plane_points import draw_planes
from campaign.report.parts.judged.scores import Density

WELLS = np.array([-2.0, 2.0])


def make_cloud(share: float, seed: int, n_dim: int = 3, n: int = 3000) -> Cloud:
    """Return two Gaussians on the first axis, the right one with ``share``."""
    rng = np.random.default_rng(seed)
    points = rng.normal(size=(n, n_dim)) * 0.6
    right = rng.random(n) < 0.5
    points[:, 0] += WELLS[right.astype(int)]
    weights = np.where(right, share / right.sum(), (1 - share) / (~right).sum())
    return Cloud(points, weights, np.arange(n) // 500)


@pytest.fixture
def clouds(other_seed: int) -> dict[str, Cloud]:
    return {"reference": make_cloud(0.5, 1), "weighted": make_cloud(0.2, 2)}


@pytest.mark.random_outcome
def test_basins_are_parted_where_the_density_is_least(
    clouds: dict[str, Cloud], margin
) -> None:
    reference = clouds["reference"]
    basins = Basins.of(reference.points[:, :2], reference.weights)
    assert len(basins) == 2
    margin("valley", basins.valleys[0][0], near=0.0, within=0.8)
    weighted = clouds["weighted"]
    shares = basins.shares(weighted.points[:, :2], weighted.weights)
    margin("share off", shares[0] - 0.8, near=0.0, within=0.01)


def test_segments_of_a_weighted_ensemble_are_told_by_lineage() -> None:
    n = 90
    frames = WeightedFrames(
        np.zeros((n, 4, 3)), np.ones(n), np.arange(n) // 30, np.arange(n), np.arange(n)
    )
    assert set(name_walks(frames)) == {0, 1, 2}


def test_every_plane_that_tica_kept_is_drawn(
    clouds: dict[str, Cloud], tmp_path: Path
) -> None:
    draw_planes(clouds, np.zeros(3), Canvas(tmp_path))
    drawn = {p.stem for p in tmp_path.glob("*.png")}
    assert "contours_weighted" in drawn
    assert "points_basins_0_weighted" in drawn
    assert {"points_walks_0_reference", "points_walks_1_weighted"} <= drawn
    body = json.loads((tmp_path / "points_basins_0_weighted.json").read_text())
    np.testing.assert_allclose(body["shares"], [0.8, 0.2], atol=0.01)
    assert make_planes(clouds, 2) == {}


def test_components_that_are_not_scored_have_densities(
    clouds: dict[str, Cloud],
) -> None:
    found = further_densities(clouds)["weighted"]
    assert list(found) == ["tic2"]
    assert found["tic2"].model.sum() == pytest.approx(1.0)
    assert further_densities({"reference": make_cloud(0.5, 1, 2)}) == {}


@pytest.mark.parametrize("period", [None, 360.0])
def test_smoothing_keeps_the_mass(period: float | None) -> None:
    edges = np.linspace(-180.0, 180.0, 101)
    masses = np.zeros(102)
    masses[1] = 1.0  # at the very edge
    density = Density("dihedral", "deg", edges, masses, masses, period=period)
    drawn = smooth(masses, density)
    assert float(np.sum(drawn * np.diff(edges))) == pytest.approx(1.0)
    assert (drawn[-1] > 0) == (period is not None)  # a circle goes round


def test_a_band_is_kept_with_the_numbers(tmp_path: Path) -> None:
    edges = np.linspace(0.0, 1.0, 101)
    masses: Array = np.full(102, 0.01)
    masses[[0, -1]] = 0.0
    band = np.array([0.5 * masses, 1.5 * masses])
    density = Density("x", "", edges, masses, masses, model_band=band)
    draw_density("x", {"weighted": density}, Canvas(tmp_path))
    body = json.loads((tmp_path / "density_x.json").read_text())
    np.testing.assert_allclose(body["weighted_95_percent"][0], 0.5)
    np.testing.assert_allclose(body["weighted_95_percent"][1], 1.5)
