"""Toy dynamics against the exact density and the exact first passage time."""

import numpy as np
import pytest

from apps.science.errors import ConfigError, ShapeMismatchError
from apps.science.propagators._exact import exact_density, exact_mfpt, make_grid
from apps.science.propagators._potentials import POTENTIALS, double_well
from apps.science.propagators.base import States
from apps.science.propagators.toy import Config, Propagator


def at(*points: list[float]) -> States:
    positions = np.array(points, dtype=float)[:, None, :]
    return States(positions, np.zeros_like(positions))


def right_of_one(centres: np.ndarray) -> np.ndarray:
    return centres[:, 0] > 1.0


@pytest.mark.parametrize("name", POTENTIALS)
def test_forces_are_the_gradient(name: str) -> None:
    potential = POTENTIALS[name](4.0)
    low, high = np.array(potential.bounds).T
    x = np.random.default_rng(1).uniform(low, high, size=(200, potential.n_dim))
    for axis in range(potential.n_dim):
        step = 1e-5 * np.eye(potential.n_dim)[axis]
        slope = (potential.energy(x + step) - potential.energy(x - step)) / 2e-5
        np.testing.assert_allclose(
            potential.force(x)[:, axis], -slope, atol=1e-4, rtol=1e-4
        )


def test_grid_mfpt_is_the_textbook_integral() -> None:
    potential = double_well(3.0)
    x = np.linspace(-2.5, 1.0, 20001)
    width = x[1] - x[0]
    energy = potential.energy(x[:, None])
    inner = np.cumsum(np.exp(-energy)) * width
    expected = (np.exp(energy) * inner)[x >= -1].sum() * width / 0.7
    found = exact_mfpt(
        potential, 0.7, np.array([-1.0]), right_of_one, make_grid(potential, 400)
    )
    assert found == pytest.approx(expected, rel=5e-3)


def test_seeing_the_target_less_often_takes_longer() -> None:
    potential = double_well(3.0)
    times = [
        exact_mfpt(
            potential,
            1.0,
            np.array([-1.0]),
            right_of_one,
            make_grid(potential, 150),
            lag,
        )
        for lag in (None, 0.01, 0.5)
    ]
    assert times[0] < times[1] < times[2]
    assert times[1] == pytest.approx(times[0], rel=0.05)


def test_a_target_off_the_grid_is_refused() -> None:
    potential = double_well(3.0)
    with pytest.raises(ConfigError, match="holds 0 of 50 grid cells"):
        exact_mfpt(
            potential, 1.0, np.array([-1.0]), lambda c: c[:, 0] > 9,
            make_grid(potential, 50),
        )  # fmt: skip


@pytest.mark.random_outcome
def test_recycled_flux_is_the_inverse_exact_time(margin, other_seed) -> None:
    lag_ps, n, burn_in, n_rounds = 0.1, 1000, 50, 150
    config = Config(n_steps=50, n_steps_per_frame=50, timestep_fs=2.0, barrier_kt=2.0)
    potential = double_well(2.0)
    exact = exact_mfpt(
        potential, 1.0, np.array([-1.0]), right_of_one,
        make_grid(potential, 200), lag_ps,
    )  # fmt: skip
    engine, state = Propagator(config), at(*[[-1.0, 0, 0]] * n)
    passages = 0
    for k in range(n_rounds):
        state = engine.propagate(
            state, range(other_seed + n * k, other_seed + n * (k + 1))
        ).final
        arrived = state.positions[:, 0, 0] > 1.0
        state.positions[arrived, 0, 0] = -1.0
        passages += int(arrived.sum()) if k >= burn_in else 0
    # Hill's relation: the steady flux of recycled walkers is one over the MFPT.
    flux = passages / (n * lag_ps * (n_rounds - burn_in))
    margin("time / exact", 1 / flux / exact, near=1.0, within=0.1)


@pytest.mark.random_outcome
@pytest.mark.parametrize("dynamics", ["overdamped", "underdamped"])
def test_the_density_is_boltzmanns(dynamics: str, margin, other_seed) -> None:
    config = Config.model_validate(
        {
            "n_steps": 3000, "n_steps_per_frame": 300, "barrier_kt": 1.0,
            "dynamics": dynamics, "timestep_fs": 2.0 if dynamics[0] == "o" else 10.0,
            "diffusion_angstrom2_per_ps": 2.0,
        }
    )  # fmt: skip
    potential = double_well(1.0)
    grid = make_grid(potential, 60)
    density = exact_density(potential, grid)
    start = at(*[[1.0, 0, 0], [-1.0, 0, 0]] * 400)
    x = (
        Propagator(config)
        .propagate(start, range(other_seed, other_seed + 800))
        .positions[:, 5:, 0, 0]
    )
    exact_square = density @ grid.centres[:, 0] ** 2
    margin("x^2 / exact", np.mean(np.square(x)) / exact_square, near=1.0, within=0.05)
    middle = density[np.abs(grid.centres[:, 0]) < 0.5].sum()
    found = np.mean(np.abs(x) < 0.5)
    margin("middle / exact", found / middle, near=1.0, within=0.15)


def test_only_the_potentials_own_coordinates_move() -> None:
    config = Config(n_steps=20, n_steps_per_frame=10)
    frames = Propagator(config).propagate(at([1.0, 5.0, 7.0]), [3])
    np.testing.assert_array_equal(frames.positions[0, :, 0, 1:], [[5, 7]] * 2)


def test_no_potential_returns_states_untouched() -> None:
    config = Config(n_steps=20, n_steps_per_frame=10, potential="none", n_particles=2)
    states = States(np.ones((3, 2, 3)), np.zeros((3, 2, 3)))
    frames = Propagator(config).propagate(states, [1, 2, 3])
    assert frames.positions.shape == (3, 2, 2, 3)
    np.testing.assert_array_equal(frames.final.positions, states.positions)


def test_a_runaway_fails_alone() -> None:
    config = Config(n_steps=20, n_steps_per_frame=10)
    frames = Propagator(config).propagate(at([1, 0, 0], [1e9, 0, 0]), [1, 2])
    assert frames.failed.tolist() == [False, True]
    assert np.isnan(frames.positions[1]).all()


def test_states_and_seeds_must_agree() -> None:
    config = Config(n_steps=20, n_steps_per_frame=10)
    with pytest.raises(ShapeMismatchError, match="one row per seed"):
        Propagator(config).propagate(at([1, 0, 0]), [1, 2])
