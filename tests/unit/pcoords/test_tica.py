"""TICA against processes whose slow coordinates and timescales are known."""

from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError
from scipy.signal import lfilter

from apps.science.errors import ConfigError, DataError, ShapeMismatchError
from apps.science.pcoords.tica import (
    Config,
    ProgressCoordinate,
    fit_tica,
    read_tica,
)

INTERVAL_PS, DECAY_PS = 0.5, 20.0


def slow_and_fast(n_frames: int, seed: int, decay_ps: float = DECAY_PS) -> np.ndarray:
    """Return a line of 4 beads whose one far distance relaxes in ``decay_ps``."""
    rng = np.random.default_rng(seed)
    kept = np.exp(-INTERVAL_PS / decay_ps)
    noise = np.sqrt(1 - kept**2) * rng.normal(size=n_frames)
    noise[0] = 0.0
    slow = lfilter([1.0], [1.0, -kept], noise)
    beads = np.zeros((n_frames, 5, 3))
    beads[:, :, 0] = 10.0 * np.arange(5)
    beads[:, 0, 0] -= slow  # distances 0-3 and 0-4
    beads[:, 4, 0] += rng.normal(size=n_frames)  # distances 0-4 and 1-4: white
    return beads


@pytest.mark.random_outcome
def test_the_timescale_of_a_known_process_is_found(margin) -> None:
    model = fit_tica([slow_and_fast(160_000, 1)], INTERVAL_PS, 5.0)
    slow, fast = model.timescales_ps[:2]
    margin("slow / exact", slow / DECAY_PS, near=1.0, within=0.15)
    margin("fast, ps", fast, below=3.0)


@pytest.mark.random_outcome
def test_the_first_component_is_the_slow_distance(margin) -> None:
    beads = slow_and_fast(20000, 2)
    first = fit_tica([beads], INTERVAL_PS, 5.0).project(beads)[:, 0]
    correlation = abs(np.corrcoef(first, beads[:, 0, 0])[0, 1])
    margin("correlation", correlation, above=0.99)


@pytest.mark.random_outcome
def test_components_have_zero_mean_unit_variance_and_a_fixed_sign(margin) -> None:
    beads = slow_and_fast(20000, 3)
    model = fit_tica([beads], INTERVAL_PS, 5.0)
    values = model.project(beads)
    np.testing.assert_allclose(values.std(axis=0), 1.0, rtol=1e-6)
    np.testing.assert_allclose(values.mean(axis=0), 0.0, atol=0.05)
    largest = np.abs(model.components).argmax(axis=0)
    assert (model.components[largest, [0, 1]] > 0).all()
    halves = fit_tica([beads[:10000], beads[10000:]], INTERVAL_PS, 5.0).project(beads)
    correlation = np.corrcoef(halves[:, 0], values[:, 0])[0, 1]
    margin("correlation", correlation, above=0.99)


@pytest.mark.random_outcome
def test_weights_choose_between_trajectories(margin) -> None:
    quick = slow_and_fast(160_000, 4, decay_ps=2.0)
    slow = slow_and_fast(160_000, 5, decay_ps=40.0)
    found = [
        fit_tica(
            [quick, slow], INTERVAL_PS, 1.0, n_dim=1,
            weights=[np.full(160_000, w), np.full(160_000, 1.0 - w)],
        ).timescales_ps[0]
        for w in (0.999, 0.001)
    ]  # fmt: skip
    margin("quick / exact", found[0] / 2.0, near=1.0, within=0.2)
    margin("slow / exact", found[1] / 40.0, near=1.0, within=0.3)


@pytest.mark.random_outcome
def test_dihedrals_tell_mirror_images_apart_and_distances_do_not(margin) -> None:
    rng = np.random.default_rng(6)
    hand = np.repeat(rng.choice([-1.0, 1.0], size=200), 50)
    helix = np.array([[np.cos(t), np.sin(t), 0.4 * t] for t in 1.7 * np.arange(5)])
    beads = np.tile(3.8 * helix, (len(hand), 1, 1))
    beads[:, :, 2] *= hand[:, None]
    beads += 0.05 * rng.normal(size=beads.shape)
    seen = fit_tica([beads], 1.0, 5.0, "dihedrals", n_dim=1).project(beads)[:, 0]
    missed = fit_tica([beads], 1.0, 5.0, "distances", n_dim=1).project(beads)[:, 0]
    for name, found in (("seen", seen), ("missed", missed)):
        correlation = abs(np.corrcoef(found, hand)[0, 1])
        limits = {"above": 0.99} if name == "seen" else {"below": 0.2}
        margin(f"{name}: correlation", correlation, **limits)


def test_projection_ignores_rotation_and_translation() -> None:
    beads = slow_and_fast(2000, 7)
    rotation = np.linalg.qr(np.random.default_rng(8).normal(size=(3, 3)))[0]
    rotation *= np.sign(np.linalg.det(rotation))
    for features in ("distances",):
        model = fit_tica([beads], INTERVAL_PS, 5.0, features)
        np.testing.assert_allclose(
            model.project(beads @ rotation + 5), model.project(beads), atol=1e-8
        )


def test_a_written_model_is_read_back_and_used(tmp_path: Path) -> None:
    beads = slow_and_fast(5000, 9)
    path = tmp_path / "tica.npz"
    model = fit_tica([beads], INTERVAL_PS, 5.0, out=path)
    again = read_tica(path)
    np.testing.assert_array_equal(again.project(beads), model.project(beads))
    assert again.lag_ps == 5.0
    pcoord = ProgressCoordinate(Config(model=str(path), n_dim=1))
    np.testing.assert_array_equal(pcoord.compute(beads), model.project(beads)[:, :1])
    with pytest.raises(ConfigError, match="has 2 components; 3"):
        ProgressCoordinate(Config(model=str(path), n_dim=3))


def test_trajectories_shorter_than_the_lag_are_refused() -> None:
    with pytest.raises(DataError, match=r"lag of 50 ps \(100 frames .* 80 frames"):
        fit_tica([slow_and_fast(80, 1)], INTERVAL_PS, 50.0)


def test_a_lag_between_frames_is_refused() -> None:
    with pytest.raises(ConfigError, match="no whole number of frames"):
        fit_tica([slow_and_fast(80, 1)], INTERVAL_PS, 0.7)


def test_too_few_directions_are_refused() -> None:
    still = np.tile(slow_and_fast(1, 1), (100, 1, 1))
    still[:, 0, 0] += np.random.default_rng(1).normal(size=100)
    with pytest.raises(DataError, match="independent directions"):
        fit_tica([still], INTERVAL_PS, 1.0, n_dim=2)


def test_frames_of_another_system_are_refused() -> None:
    model = fit_tica([slow_and_fast(500, 1)], INTERVAL_PS, 5.0)
    with pytest.raises(ShapeMismatchError, match="of 5 beads"):
        model.project(np.zeros((2, 6, 3)))
    with pytest.raises(ShapeMismatchError, match="at least 4"):
        fit_tica([np.zeros((9, 3, 3))], INTERVAL_PS, 0.5)


def test_a_missing_model_says_what_to_run(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="reference stage"):
        ProgressCoordinate(Config(model=str(tmp_path / "tica.npz")))


def test_an_unknown_key_is_refused() -> None:
    with pytest.raises(ValidationError, match="Extra inputs"):
        Config.model_validate({"model": "tica.npz", "modle": 1})


def test_more_components_are_kept_as_far_as_there_are_any() -> None:
    line = [slow_and_fast(4000, 1)]  # two directions, no more
    assert fit_tica(line, INTERVAL_PS, 5.0, n_more=2).n_dim == 2
    cloud = [np.random.default_rng(4).normal(size=(4000, 6, 3)).cumsum(axis=1)]
    two = fit_tica(cloud, INTERVAL_PS, 5.0)
    more = fit_tica(cloud, INTERVAL_PS, 5.0, n_more=50)
    assert more.n_dim == 6  # the pairs three or more apart
    np.testing.assert_allclose(more.components[:, :2], two.components)
