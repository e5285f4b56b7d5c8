"""Flux into a target against the exact flux of the same chain of steps."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from apps.science.errors import ConfigError, DataError
from apps.science.propagators._exact import (
    exact_mfpt,
    exact_recycled_flux,
    make_grid,
)
from apps.science.propagators._potentials import POTENTIALS
from apps.science.propagators.base import States
from apps.science.we.config import WEConfig
from apps.science.we.kinetics import estimate_kinetics, read_flux

D_ANGSTROM2_PER_PS = 1.0  # of the toy propagator
SEEDS = (1, 2, 3, 4, 5)


@dataclass(frozen=True)
class Case:
    """A potential with a source and a target, whose bounds are edges of grid cells."""

    potential: str
    barrier_kt: float
    timestep_fs: float
    n_steps: int
    n_cells: int
    source: tuple[float, ...]
    region: tuple[tuple[float, float], ...]

    @property
    def tau_ps(self) -> float:
        return self.n_steps * self.timestep_fs / 1000

    def exact_fluxes(self, n_iterations: int, refinement: int = 1) -> np.ndarray:
        """Return the probability that each iteration recycles, time step and all."""
        potential = POTENTIALS[self.potential](self.barrier_kt)
        low, high = np.array(self.region).T
        return exact_recycled_flux(
            potential, D_ANGSTROM2_PER_PS, self.timestep_fs / 1000, self.n_steps,
            np.array(self.source),
            lambda x: ((x >= low) & (x < high)).all(axis=1),
            make_grid(potential, refinement * self.n_cells), n_iterations,
        )  # fmt: skip


WELL = Case("double_well", 4.0, 8.0, 25, 125, (-1.0,), ((0.9, np.inf),))
PLANE = Case(
    "coupled_well", 3.0, 8.0, 32, 40, (-0.9375, -0.9375),
    ((0.75, np.inf), (0.5, np.inf)),
)  # fmt: skip


@pytest.fixture
def measure_fluxes(
    tmp_path: Path, run_walkers: Callable[..., Path]
) -> Callable[..., np.ndarray]:
    """Return (n_seeds, n_iterations): what WE runs of a case recycled."""

    def measure(
        case: Case, bins: dict[str, Any], n_iterations: int, walkers_per_bin: int
    ) -> np.ndarray:
        region = [(low, None) for low, _ in case.region]
        config = WEConfig.model_validate(
            {
                "n_iterations": n_iterations, "walkers_per_bin": walkers_per_bin,
                "bins": bins, "targets": [{"region": region}],
            }
        )  # fmt: skip
        toy = {
            "kind": "toy", "potential": case.potential, "barrier_kt": case.barrier_kt,
            "timestep_fs": case.timestep_fs, "n_steps": case.n_steps,
            "n_steps_per_frame": case.n_steps,
            "diffusion_angstrom2_per_ps": D_ANGSTROM2_PER_PS,
        }  # fmt: skip
        place = np.zeros((1, 1, 3))
        place[0, 0, : len(case.source)] = case.source
        starts = States(place, np.zeros_like(place))
        pcoord = {"kind": "cartesian", "axes": list(range(len(case.source)))}
        return np.array(
            [
                read_flux(
                    run_walkers(tmp_path / str(seed), config, toy, starts, seed, pcoord)
                )
                for seed in SEEDS
            ]
        )

    return measure


def compare(
    found: np.ndarray, case: Case, burn_in: int, margin: Callable[..., None]
) -> float:
    """Return the mean over seeds of the flux over the exact one; note each."""
    exact = case.exact_fluxes(400)
    # the burn-in is over once the exact flux has come within 1 % of its last value
    assert exact[burn_in] == pytest.approx(exact[-1], rel=0.01)
    rates = [
        estimate_kinetics(flux, case.tau_ps, burn_in).rate_per_ps for flux in found
    ]
    ratios = np.array(rates) * case.tau_ps / exact[-1]
    for ratio in ratios:
        margin("each run", ratio)
    return float(ratios.mean())


@pytest.mark.random_outcome
@pytest.mark.slow
def test_the_flux_of_a_double_well_is_the_exact_one(measure_fluxes, margin) -> None:
    # most bins lie in the well, where most of the weight is: a walker goes 0.6 Angstrom
    # in one iteration, and who of them leaves decides how the flux scatters
    bins = {"kind": "rectilinear", "edges": [[-1.1, -0.95, -0.8, -0.6, -0.2]]}
    found = measure_fluxes(WELL, bins, 48, 150)
    margin("flux / exact", compare(found, WELL, 8, margin), near=1.0, within=0.10)


@pytest.mark.random_outcome
@pytest.mark.slow
def test_the_flux_in_two_dimensions_with_adaptive_bins_is_the_exact_one(
    measure_fluxes, margin
) -> None:
    found = measure_fluxes(PLANE, {"kind": "mab", "nbins": [6, 2]}, 70, 40)
    margin("flux / exact", compare(found, PLANE, 8, margin), near=1.0, within=0.15)


def test_the_exact_flux_does_not_depend_on_the_cells() -> None:
    coarse, fine = (WELL.exact_fluxes(60, n)[-1] for n in (1, 3))
    assert coarse == pytest.approx(fine, rel=2e-3)


def test_the_exact_flux_nears_that_of_continuous_time() -> None:
    case = replace(WELL, timestep_fs=1.0, n_steps=200, n_cells=250)
    potential = POTENTIALS[case.potential](case.barrier_kt)
    passage_ps = exact_mfpt(
        potential, D_ANGSTROM2_PER_PS, np.array(case.source),
        lambda x: x[:, 0] >= case.region[0][0], make_grid(potential, 500), case.tau_ps,
    )  # fmt: skip
    flux = case.exact_fluxes(100)[-1]
    assert flux * passage_ps / case.tau_ps == pytest.approx(1.0, abs=0.015)


def test_cells_wider_than_the_noise_are_refused() -> None:
    with pytest.raises(ConfigError, match="cannot hold the noise"):
        replace(WELL, n_cells=30).exact_fluxes(5)


@pytest.mark.random_outcome
def test_the_interval_of_independent_arrivals_covers_their_mean(margin) -> None:
    rng = np.random.default_rng(3)
    covered = 0
    for _ in range(200):
        flux = rng.exponential(1e-3, size=300)
        found = estimate_kinetics(flux, 2.0)
        covered += found.rate_interval[0] < 1e-3 / 2.0 < found.rate_interval[1]
    margin("covered", covered / 200, above=0.85)


@pytest.mark.random_outcome
def test_correlated_arrivals_widen_the_interval(margin) -> None:
    rng = np.random.default_rng(5)
    noise = rng.exponential(1.0, size=400)
    plain = estimate_kinetics(rng.permutation(np.repeat(noise, 10)), 1.0)
    slow = estimate_kinetics(np.repeat(noise, 10), 1.0)
    width = [k.rate_interval[1] - k.rate_interval[0] for k in (plain, slow)]
    margin("correlation time", slow.correlation_time, above=5, below=30)
    assert not plain.is_short
    margin("width / plain", width[1] / width[0], above=2)


def test_the_passage_time_is_the_inverse_rate_with_swapped_bounds() -> None:
    found = estimate_kinetics(np.linspace(1, 2, 50), 4.0, burn_in=10)
    assert found.n_iterations == 40
    assert found.mfpt_ps == pytest.approx(1 / found.rate_per_ps)
    assert found.mfpt_interval[0] == pytest.approx(1 / found.rate_interval[1])


def test_nothing_arrived_means_no_bound_on_the_passage_time() -> None:
    found = estimate_kinetics(np.zeros(20), 1.0)
    assert found.rate_per_ps == 0.0
    assert found.mfpt_ps == np.inf


def test_a_burn_in_that_leaves_nothing_is_refused() -> None:
    with pytest.raises(ConfigError, match="leaves 0"):
        estimate_kinetics(np.ones(10), 1.0, burn_in=10)


def test_a_run_without_a_target_has_no_flux(tmp_path, run_well) -> None:
    config = WEConfig(n_iterations=1, bins={"kind": "mab", "nbins": [3]})
    west = run_well(tmp_path / "run", config, 1)
    with pytest.raises(DataError, match="targets"):
        read_flux(west)
