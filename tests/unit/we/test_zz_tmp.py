"""Flux into a target against the exact mean first passage time."""

import numpy as np
import pytest

from apps.science.errors import ConfigError, DataError
from apps.science.propagators._exact import exact_mfpt, make_grid
from apps.science.propagators._potentials import double_well
from apps.science.we.config import WEConfig
from apps.science.we.kinetics import estimate_kinetics, read_flux

BARRIER_KT, TAU_PS, TARGET = 4.0, 0.4, 0.9


def exact_ps() -> float:
    potential = double_well(BARRIER_KT)
    return exact_mfpt(
        potential, 1.0, np.array([-1.0]), lambda x: x[:, 0] >= TARGET,
        make_grid(potential, 500), lag_ps=TAU_PS,
    )  # fmt: skip


@pytest.mark.parametrize(
    "bins",
    [
        {"kind": "rectilinear",
         "edges": [[-0.8, -0.6, -0.45, -0.3, -0.15, 0.0, 0.2, 0.5]]},
        {"kind": "mab", "nbins": [8]},
    ],
    ids=["rectilinear", "mab"],
)  # fmt: skip
def test_the_flux_is_the_inverse_of_the_exact_passage_time(
    tmp_path, run_well, bins
) -> None:
    config = WEConfig(
        n_iterations=50, walkers_per_bin=50, bins=bins,
        targets=[{"region": [[TARGET, None]]}],
    )  # fmt: skip
    fluxes = [
        read_flux(run_well(tmp_path / str(seed), config, seed, TAU_PS, BARRIER_KT))
        for seed in (1, 2, 3)
    ]
    assert all(len(flux) == config.n_iterations for flux in fluxes)
    rates = [estimate_kinetics(flux, TAU_PS, 8).rate_per_ps for flux in fluxes]
    assert np.mean(rates) * exact_ps() == pytest.approx(1.0, abs=0.0001)


def test_the_interval_of_independent_arrivals_covers_their_mean() -> None:
    rng = np.random.default_rng(3)
    covered = 0
    for trial in range(40):
        flux = rng.exponential(1e-3, size=300)
        found = estimate_kinetics(flux, 2.0, n_bootstrap=300, seed=trial)
        covered += found.rate_interval[0] < 1e-3 / 2.0 < found.rate_interval[1]
    assert covered >= 33


def test_correlated_arrivals_widen_the_interval() -> None:
    rng = np.random.default_rng(5)
    noise = rng.exponential(1.0, size=100)
    plain = estimate_kinetics(rng.permutation(np.repeat(noise, 10)), 1.0)
    slow = estimate_kinetics(np.repeat(noise, 10), 1.0)
    width = [k.rate_interval[1] - k.rate_interval[0] for k in (plain, slow)]
    assert slow.block_length >= 10
    assert width[1] > 2 * width[0]


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
