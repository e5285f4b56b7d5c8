"""Parallel tempering against the exact populations of a double well."""

from collections.abc import Sequence

import numpy as np
import pytest
import torch
from torch import Tensor

from apps.science.arrays import Array
from apps.science.cg.simulation.tempering import ParallelTempering
from apps.science.errors import ConfigError, NumericalError
from apps.science.propagators._packed import LangevinSettings, Trajectories, run_packed
from apps.science.units import thermal_energy

LADDER = [300.0, 450.0, 700.0]
HIGH, TILT, STIFF = 3.0, 0.4, 5.0


class DoubleWell:
    """U = 3 (x^2 - 1)^2 + 0.4 x + 5 (y^2 + z^2), kcal/mol: 5 kT high at 300 K."""

    n_beads = 1
    masses_amu: Sequence[float] = [12.0]
    bonds: Sequence[tuple[int, int]] = []

    def compute(self, positions: Tensor) -> tuple[Tensor, Tensor]:
        x, across = positions[:, 0, 0], positions[:, 0, 1:]
        energy = HIGH * (x * x - 1) ** 2 + TILT * x + STIFF * across.square().sum(1)
        forces = torch.empty_like(positions)
        forces[:, 0, 0] = -4 * HIGH * x * (x * x - 1) - TILT
        forces[:, 0, 1:] = -2 * STIFF * across
        return energy, forces


def tempering(ladder: list[float], n_steps: int = 20) -> ParallelTempering:
    field = DoubleWell()
    chosen = LangevinSettings(300.0, 5.0, 0.01, n_steps, n_steps, 10.0)

    def advance(x: Array, v: Array, seeds: Array, heats: Array) -> Trajectories:
        return run_packed(
            field, torch.tensor(x), torch.tensor(v), torch.tensor(seeds), chosen, heats
        )

    def energies(x: Array) -> Array:
        return field.compute(torch.tensor(x))[0].numpy()

    return ParallelTempering(advance, energies, ladder, seed=4)


def exact_right(kelvin: float) -> float:
    x = np.linspace(-3, 3, 6001)
    p = np.exp(-(HIGH * (x * x - 1) ** 2 + TILT * x) / thermal_energy(kelvin))
    return float(p[x > 0].sum() / p.sum())


@pytest.mark.random_outcome
def test_every_temperature_has_its_exact_populations(margin) -> None:
    engine = tempering(LADDER)
    begin = np.full((512, 1, 3), 0.0)
    begin[:, 0, 0] = -1.0  # all on the left: only crossings can mend it
    ladder = engine.begin(begin, np.zeros_like(begin))
    right, energy = [], []
    for number in range(500):
        engine.run_round(ladder, number)
        if number >= 100:
            x = ladder.positions[:, :, 0, 0]
            right.append((x > 0).mean(axis=0))
            energy.append((STIFF * ladder.positions[:, :, 0, 1:] ** 2).mean((0, 2)))
    for kelvin, share in zip(LADDER, np.mean(right, axis=0), strict=True):
        off = share - exact_right(kelvin)
        margin(f"{kelvin:g} K: share off", off, near=0.0, within=0.02)
    # the walls are harmonic: half kT each, at each temperature
    for kelvin, wall in zip(LADDER, np.mean(energy, axis=0), strict=True):
        ratio = wall / (0.5 * thermal_energy(kelvin))
        margin(f"{kelvin:g} K: wall / kT/2", ratio, near=1.0, within=0.04)
    margin("exchanged", (ladder.n_exchanged / ladder.n_tried).min(), above=0.3)
    assert len({tuple(row) for row in ladder.walker}) > 1  # copies wandered


@pytest.mark.random_outcome
def test_velocities_keep_the_temperature_of_their_rung(margin) -> None:
    engine = tempering(LADDER)
    ladder = engine.begin(np.zeros((700, 1, 3)), np.zeros((700, 1, 3)))
    found = []
    for number in range(12):
        engine.run_round(ladder, number)
        if number >= 4:
            found.append((ladder.velocities**2).mean(axis=(0, 2, 3)))
    for kelvin, square in zip(LADDER, np.mean(found, axis=0), strict=True):
        ratio = square / (thermal_energy(kelvin) / 12.0 * 418.4)
        margin(f"{kelvin:g} K: v^2 / exact", ratio, near=1.0, within=0.08)


@pytest.mark.parametrize("ladder", [[300.0], [300.0, 300.0], [400.0, 300.0]])
def test_temperatures_have_to_rise(ladder: list[float]) -> None:
    with pytest.raises(ConfigError, match="no ladder"):
        tempering(ladder)


def test_a_runaway_ends_it_and_names_its_temperature() -> None:
    engine = tempering(LADDER)
    ladder = engine.begin(np.zeros((1, 1, 3)), np.zeros((1, 1, 3)))
    ladder.positions[0, 2] = np.nan
    with pytest.raises(NumericalError, match="700 K ran away in round 0"):
        engine.run_round(ladder, 0)
