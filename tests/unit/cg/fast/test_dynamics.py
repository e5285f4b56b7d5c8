"""Compiled dynamics: the same as torch's, and the same to the bit in any company."""

from collections.abc import Callable

import numpy as np
import pytest
import torch

from apps.science.arrays import Array
from apps.science.cg.fast.dynamics import FastForceField
from apps.science.cg.fast.noise_kernel import fill_normals
from apps.science.cg.fast.noise_kernel import hash_counter as hash_compiled
from apps.science.cg.force_field import ForceField
from apps.science.propagators._packed import (
    LangevinSettings,
    Trajectories,
    counter_normals,
    hash_counter,
    run_packed,
)
from apps.science.units import ACCELERATION, thermal_energy

Fields = Callable[..., ForceField]
Chains = Callable[..., Array]
SETTINGS = LangevinSettings(300.0, 1.0, 0.004, 100, 20, 8.0)
NAMES = ("positions", "forces", "final_positions", "final_velocities", "failed")


def thermal(shape: tuple[int, ...], mass: float = 12.0, seed: int = 1) -> Array:
    spread = np.sqrt(thermal_energy(300.0) * ACCELERATION / mass)
    return np.random.default_rng(seed).normal(size=shape) * spread


def assert_same_bits(one: Trajectories, rows: object, other: Trajectories) -> None:
    for name in NAMES:
        np.testing.assert_array_equal(
            getattr(one, name).numpy()[rows], getattr(other, name).numpy()
        )


def test_noise_is_that_of_torch() -> None:
    seeds = np.array([0, 7, 2**62 + 11])
    keys = hash_counter(torch.tensor(seeds))
    expected = counter_normals(keys, 5, 1, 5)[0].reshape(3, 15).numpy()
    for seed, normals in zip(seeds.astype(np.uint64), expected, strict=True):
        found = np.empty(15)
        fill_normals(found, np.uint64(hash_compiled(seed)), 5)
        np.testing.assert_allclose(found, normals, atol=5e-6)


def test_a_hundred_steps_are_those_of_the_plain_model_in_torch(
    make_field: Fields, chains: Chains, network_name: str
) -> None:
    field = make_field(network_name)
    x, seeds = chains(4), np.arange(4)
    v = thermal(x.shape)
    mine = FastForceField(field).run(x, v, seeds, SETTINGS)
    plain = run_packed(
        field, torch.tensor(x), torch.tensor(v), torch.tensor(seeds), SETTINGS
    )
    assert not plain.failed.any()
    scale = float((plain.final_positions - torch.tensor(x)).abs().max())
    assert float((mine.positions - plain.positions).abs().max()) < 3e-4 * scale
    torch.testing.assert_close(mine.forces, plain.forces, atol=0.05, rtol=1e-3)


def test_a_replica_has_the_same_bits_in_any_block(
    make_field: Fields, chains: Chains
) -> None:
    fast = FastForceField(make_field("cgschnet"))
    x, seeds = chains(64), np.arange(100, 164)
    v = thermal(x.shape)
    whole = fast.run(x, v, seeds, SETTINGS)
    for row in (0, 31, 63):
        at = slice(row, row + 1)
        assert_same_bits(whole, at, fast.run(x[at], v[at], seeds[at], SETTINGS))
    turned = fast.run(x[::-1], v[::-1], seeds[::-1], SETTINGS)
    assert_same_bits(turned, slice(None, None, -1), whole)


def test_threads_change_no_bit(make_field: Fields, chains: Chains) -> None:
    fast = FastForceField(make_field("cgschnet", 24))
    x, seeds = chains(7, 24), np.arange(7)
    before = torch.get_num_threads()
    one = fast.run(x, thermal(x.shape), seeds, SETTINGS)
    torch.set_num_threads(2)
    try:
        two = fast.run(x, thermal(x.shape), seeds, SETTINGS)
    finally:
        torch.set_num_threads(before)
    assert_same_bits(one, slice(None), two)


@pytest.mark.parametrize("broken", ["torn", "nan", "inf", "fast"])
def test_a_runaway_is_taken_out_and_its_company_keeps_its_bits(
    make_field: Fields, chains: Chains, broken: str
) -> None:
    fast = FastForceField(make_field("graph silu"))
    x, seeds = chains(8), np.arange(8)
    v = thermal(x.shape)
    good = fast.run(x, v, seeds, SETTINGS)
    if broken == "fast":
        v[3, 2] = 1e7
    else:
        x[3, 2] += {"torn": 50.0, "nan": np.nan, "inf": np.inf}[broken]
    seen = fast.run(x, v, seeds, SETTINGS)
    assert seen.failed.tolist() == [row == 3 for row in range(8)]
    assert np.isnan(seen.positions[3].numpy()).all()
    np.testing.assert_array_equal(seen.final_positions[3].numpy(), x[3])
    rest = [0, 1, 2, 4, 5, 6, 7]
    for name in NAMES:
        np.testing.assert_array_equal(
            getattr(seen, name)[rest].numpy(), getattr(good, name)[rest].numpy()
        )


@pytest.mark.random_outcome
def test_the_temperature_is_that_of_the_bath_in_motion_and_in_place(
    make_field: Fields, margin, other_seed
) -> None:
    """Kinetic energy by equipartition; bond energy by Boltzmann's law of a bond."""
    field = make_field(None, 2)
    fast = FastForceField(field)
    settings = LangevinSettings(300.0, 20.0, 0.002, 3000, 4, 8.0)
    x = np.zeros((512, 2, 3))
    x[:, 1, 0] = 3.8
    v = thermal(x.shape)
    kt, energies, kinetic = thermal_energy(300.0), [], []
    for part in range(16):
        seen = fast.run(x, v, np.arange(512) + 1000 * part + other_seed, settings)
        x, v = seen.final_positions.numpy(), seen.final_velocities.numpy()
        bond = seen.positions[:, :, 1] - seen.positions[:, :, 0]
        energies.append(75.0 * (bond.double().norm(dim=-1) - 3.8).square().mean())
        kinetic.append(0.5 * 12.0 * (v**2).sum(axis=(1, 2)).mean() / ACCELERATION)
        x = x - x.mean(axis=1, keepdims=True)
    r = np.linspace(3.0, 4.6, 4001)
    p = r**2 * np.exp(-75.0 * (r - 3.8) ** 2 / kt)
    expected = (p * 75.0 * (r - 3.8) ** 2).sum() / p.sum()
    margin("bond energy / exact", np.mean(energies) / expected, near=1.0, within=0.01)
    margin("kinetic / 3 kT", np.mean(kinetic) / (3.0 * kt), near=1.0, within=0.05)


@pytest.mark.random_outcome
def test_energy_drifts_no_more_than_with_the_plain_model(
    make_field: Fields, chains: Chains, margin
) -> None:
    """Without friction; the plain model's positions are in single precision."""
    field = make_field("graph tanh")
    fast = FastForceField(field)
    settings = LangevinSettings(300.0, 0.0, 0.002, 200, 200, 20.0)
    warm = LangevinSettings(300.0, 5.0, 0.002, 1000, 1000, 20.0)
    begin = fast.run(chains(40), thermal((40, 10, 3)), np.arange(40), warm)
    # some random chains are too tight to live
    alive = np.flatnonzero(~begin.failed.numpy())[:24]
    assert len(alive) == 24
    seeds = np.arange(24)

    def total(x: Array, v: Array) -> Array:
        kinetic = 0.5 * 12.0 * (v**2).sum(axis=(1, 2)) / ACCELERATION
        energy: Array = field.compute(torch.tensor(x))[0].numpy() + kinetic
        return energy

    drifts = []
    for compiled in (True, False):
        x = begin.final_positions.numpy()[alive]
        v = begin.final_velocities.numpy()[alive]
        energies = [total(x, v)]
        for _ in range(8):
            if compiled:
                seen = fast.run(x, v, seeds, settings)
            else:
                seen = run_packed(
                    field, torch.tensor(x, dtype=torch.float32),
                    torch.tensor(v, dtype=torch.float32), torch.tensor(seeds), settings,
                )  # fmt: skip
            assert not seen.failed.any()
            x, v = seen.final_positions.numpy(), seen.final_velocities.numpy()
            energies.append(total(x, v))
        drifts.append(np.abs(energies[-1] - energies[0]).mean())
    # kcal/mol of some 10, over 1600 steps
    margin("drift", drifts[0], below=0.02)
    margin("drift beyond the plain", drifts[0] - 1.1 * drifts[1], below=1e-3)


@pytest.mark.random_outcome
def test_replicas_may_have_temperatures_of_their_own(
    make_field: Fields, margin, other_seed
) -> None:
    fast = FastForceField(make_field(None, 2))
    settings = LangevinSettings(300.0, 50.0, 0.002, 500, 500, 8.0)
    x = np.zeros((8000, 2, 3))
    x[:, 1, 0] = 3.8
    heats = np.repeat([300.0, 600.0], 4000)
    v = fast.run(
        x, 0 * x, np.arange(8000) + other_seed, settings, heats
    ).final_velocities.numpy()
    kinetic = 0.5 * 12.0 * (v**2).sum(axis=(1, 2)) / ACCELERATION
    for rows, kelvin in ((slice(4000), 300.0), (slice(4000, None), 600.0)):
        ratio = kinetic[rows].mean() / (3 * thermal_energy(kelvin))
        margin(f"{kelvin:g} K: kinetic / 3 kT", ratio, near=1.0, within=0.06)
