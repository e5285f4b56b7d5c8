"""Equilibrium weights of runs that have not relaxed, against exact probabilities."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from apps.science.errors import ConfigError, DataError, ShapeMismatchError
from apps.science.pcoords.cartesian import Config, ProgressCoordinate
from apps.science.propagators._exact import exact_density, make_grid
from apps.science.propagators._potentials import POTENTIALS
from apps.science.propagators.base import States
from apps.science.segments.equilibrium import (
    EquilibriumConfig,
    count_transitions,
    estimate_equilibrium_weights,
    find_transitions,
    solve_stationary,
)
from apps.science.segments.equilibrium_store import (
    read_equilibrium_weights,
    write_equilibrium_weights,
)
from apps.science.segments.ingest import ingest
from apps.science.segments.store import open_store
from apps.science.we.config import WEConfig

CASES = {
    # potential: barrier, coordinates, edges of bins, walkers a bin, steps of 4 fs and
    # where all start. A bin is a basin, so that weights differ little; segments are
    # so long that walkers often change basins, but not all of them before the end
    "double_well": (2.0, [0], [[0.0]], 1200, 96, [-1.0, 0.0, 0.0]),
    "tilted_wells": (1.5, [0, 1], [[0.0], [0.0]], 500, 360, [1.0, 1.0, 0.0]),
}
N_ITERATIONS = 10
MakeSegments = Callable[..., Path]


@pytest.fixture
def make_segments(tmp_path: Path, run_walkers: Callable[..., Path]) -> MakeSegments:
    def make(potential: str, seed: int = 7, **changes: Any) -> Path:
        barrier, axes, edges, walkers, n_steps, start = CASES[potential]
        toy = {
            "kind": "toy", "potential": potential, "barrier_kt": barrier,
            "timestep_fs": 4.0, "n_steps": n_steps, "n_steps_per_frame": n_steps // 2,
        }  # fmt: skip
        settings = {
            "n_iterations": N_ITERATIONS,
            "walkers_per_bin": walkers,
            "bins": {"kind": "rectilinear", "edges": edges},
        }
        config = WEConfig.model_validate(settings | changes)
        place = np.array([[start]])
        folder = tmp_path if seed == 7 else tmp_path / str(seed)
        folder.mkdir(exist_ok=True)
        run_walkers(
            folder / "we", config, toy, States(place, np.zeros_like(place)), seed,
            pcoord={"kind": "cartesian", "axes": axes},
        )  # fmt: skip
        return ingest(folder / "we", folder / "segments.h5", config.n_iterations)

    return make


def coordinate(potential: str) -> Callable[[np.ndarray], np.ndarray]:
    return ProgressCoordinate(Config(axes=CASES[potential][1])).compute


def right_of_zero(segments: Path, weight: np.ndarray) -> float:
    with open_store(segments) as h5:
        right = h5["positions"][:, 0, 0] > 0
    return float(weight[right].sum() / weight.sum())


def exact_right_of_zero(potential: str) -> float:
    model = POTENTIALS[potential](CASES[potential][0])
    grid = make_grid(model, 200)
    return float(exact_density(model, grid)[grid.centres[:, 0] > 0].sum())


@pytest.mark.random_outcome
@pytest.mark.parametrize("potential", CASES)
def test_equilibrium_is_found_from_one_basin_before_the_ensemble_relaxed(
    make_segments: MakeSegments,
    caplog: pytest.LogCaptureFixture,
    potential: str,
    margin,
) -> None:
    """The mean of three runs: one is 0.02 off by chance."""
    exact = exact_right_of_zero(potential)
    off = []
    for seed in (7, 8, 9):
        caplog.clear()
        segments = make_segments(potential, seed)
        with open_store(segments) as h5:
            raw = right_of_zero(segments, h5["weight"][:])
        margin("raw: off", abs(raw - exact), above=0.1)
        found = write_equilibrium_weights(segments, coordinate(potential))
        weight = read_equilibrium_weights(segments)
        off.append(right_of_zero(segments, weight) - exact)
        assert weight.sum() == pytest.approx(1.0)
        margin("distance", found.distance, above=0.1)
        assert "has not relaxed" in caplog.text
        margin("relaxation, iterations", found.relaxation_iterations, above=3)
    margin("off", np.mean(off), near=0.0, within=0.05)


def test_what_is_stored_says_where_it_came_from_and_is_replaced(
    make_segments: MakeSegments,
) -> None:
    segments = make_segments("double_well", n_iterations=4, walkers_per_bin=10)
    with pytest.raises(DataError, match="no equilibrium weights"):
        read_equilibrium_weights(segments)
    with open_store(segments) as h5:
        raw = h5["weight"][:]
    config = EquilibriumConfig(n_rounds=4)
    for seed in (1, 1):
        write_equilibrium_weights(segments, coordinate("double_well"), config, seed)
    with open_store(segments) as h5:
        np.testing.assert_array_equal(h5["weight"][:], raw)
        attributes = dict(h5["weight_eq"].attrs)
        weight, n_iter = h5["weight_eq"][:], h5["n_iter"][:]
    assert attributes["features"] == "pcoord"
    assert attributes["burn_in"] == attributes["lag_iterations"] == 1
    assert attributes["last_iter"] == 4
    assert 1 < attributes["ess"] < attributes["n_segments"]
    assert attributes["connected_share"] > 0.9
    assert (weight[n_iter <= 2] == 0).all()  # burn-in, and ends of segments in it
    assert (weight[n_iter > 2] > 0).mean() > 0.9


def test_a_store_that_grows_has_no_weights_of_before(
    make_segments: MakeSegments, tmp_path: Path
) -> None:
    make_segments("double_well", n_iterations=5, walkers_per_bin=10)
    part = ingest(tmp_path / "we", tmp_path / "part.h5", 4)
    config = EquilibriumConfig(n_rounds=4)
    write_equilibrium_weights(part, coordinate("double_well"), config)
    ingest(tmp_path / "we", part, 5)
    with pytest.raises(DataError, match="no equilibrium weights: none were estimated"):
        read_equilibrium_weights(part)
    write_equilibrium_weights(part, coordinate("double_well"), config)
    with open_store(part) as h5:
        assert len(read_equilibrium_weights(part)) == len(h5["weight"])


def test_a_run_with_targets_has_no_equilibrium(make_segments: MakeSegments) -> None:
    segments = make_segments(
        "double_well", n_iterations=6, walkers_per_bin=10,
        targets=[{"region": [[0.5, None]]}],
    )  # fmt: skip
    with pytest.raises(DataError, match="Walkers were recycled"):
        write_equilibrium_weights(segments, coordinate("double_well"))


def walk(n_iterations: int, path: list[int]) -> dict[str, np.ndarray]:
    """Return frames of walkers, one a site, that each go ``path`` further on."""
    n = len(path)
    n_iter = np.repeat(np.arange(1, n_iterations + 1), n)
    seg_id = np.tile(np.arange(n), n_iterations)
    return {
        "weight": np.full(len(n_iter), 1 / n), "n_iter": n_iter, "seg_id": seg_id,
        "frame": np.zeros(len(n_iter), int),
        "parent": np.where(n_iter > 1, seg_id, -1),
    }  # fmt: skip


def test_where_walkers_never_return_there_is_no_weight(caplog) -> None:
    rng = np.random.default_rng(1)
    columns = walk(60, list(range(8)))
    x = rng.normal(size=(len(columns["weight"]), 1))
    # one walker leaves for good
    x[(columns["n_iter"] > 40) & (columns["seg_id"] == 7)] += 100.0
    found = estimate_equilibrium_weights(x, **columns)
    away = x[:, 0] > 50
    assert found.weight[away].sum() == 0
    assert found.weight.sum() == pytest.approx(1.0)
    assert found.connected_share == pytest.approx(1 - 20 / 464, abs=0.01)
    assert "not connected both ways" in caplog.text


def test_too_few_transitions_are_refused() -> None:
    columns = walk(6, [0, 1])
    with pytest.raises(ConfigError, match="leaves 8 transitions"):
        estimate_equilibrium_weights(np.zeros((12, 1)), **columns)


def test_frames_and_features_must_agree() -> None:
    with pytest.raises(ShapeMismatchError, match="one row for each frame"):
        estimate_equilibrium_weights(np.zeros((5, 1)), **walk(6, [0, 1]))


def test_segments_begin_where_their_parents_ended() -> None:
    n_iter = np.repeat([1, 1, 2, 2], 3)
    seg_id = np.repeat([0, 1, 0, 1], 3)
    parent = np.repeat([-1, -1, 1, 7], 3)  # segment 7 was left out by a cutoff
    frame = np.tile([0, 1, 2], 4)
    moves = find_transitions(n_iter, seg_id, frame, parent, np.full(12, 0.5))
    assert (moves.start.tolist(), moves.end.tolist()) == ([5], [8])


@pytest.mark.parametrize("scale", [1.0, 1e-200])
def test_counts_hold_the_effective_number_of_walkers(scale: float) -> None:
    weight = scale * np.array([3.0, 1.0, 2.0, 2.0])
    counts = count_transitions(
        np.array([0, 0, 1, 1]), np.array([0, 1, 1, 0]), weight, 3
    )
    number = [16 / 10, 2.0, 0.0]  # Kish
    np.testing.assert_allclose(counts.sum(axis=1), number)
    np.testing.assert_allclose(counts[0], [1.2, 0.4, 0.0])


def test_the_stationary_distribution_of_two_states() -> None:
    counts = np.array([[80.0, 20.0, 0.0], [60.0, 40.0, 1.0], [0.0, 0.0, 0.0]])
    stationary, relaxation = solve_stationary(counts)
    np.testing.assert_allclose(stationary, [0.75, 0.25, 0.0], atol=1e-12)
    assert relaxation == pytest.approx(-1 / np.log(0.2))
