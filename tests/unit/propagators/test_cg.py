"""Packed Langevin dynamics against analytic force fields."""

from collections.abc import Sequence

import numpy as np
import pytest
import torch
from torch import Tensor

from apps.science.device import choose_device
from apps.science.errors import ShapeMismatchError
from apps.science.propagators.base import States
from apps.science.propagators.cg import Config, Propagator
from apps.science.units import ACCELERATION, thermal_energy

KT = thermal_energy(300.0)


class HarmonicChain:
    """Bonds k (r - r0)^2 between neighbours, analytic; unbonded where k is 0."""

    def __init__(self, n_beads: int, k: float = 50.0, r0: float = 3.8) -> None:
        self.n_beads = n_beads
        self.masses_amu: Sequence[float] = [12.0 + 3.0 * b for b in range(n_beads)]
        self.bonds: Sequence[tuple[int, int]] = [(b, b + 1) for b in range(n_beads - 1)]
        self.k, self.r0 = k, r0

    def compute(self, positions: Tensor) -> tuple[Tensor, Tensor]:
        vector = positions[:, 1:] - positions[:, :-1]
        length = vector.norm(dim=-1, keepdim=True)
        pull = 2 * self.k * (length - self.r0) * vector / length
        forces = torch.zeros_like(positions)
        forces[:, :-1] += pull
        forces[:, 1:] -= pull
        return self.k * ((length - self.r0) ** 2).sum((1, 2)), forces


class Wells(HarmonicChain):
    """Each bead pair bound by k |x_i - x_j|^2: Gaussian in every coordinate."""

    def compute(self, positions: Tensor) -> tuple[Tensor, Tensor]:
        from_centre = positions - positions.mean(1, keepdim=True)
        n = self.n_beads
        energy = self.k * n * (from_centre**2).sum((1, 2))
        return energy, -2 * self.k * n * from_centre


def settings(**changes: object) -> Config:
    chosen = {
        "mapping": "", "prior": "", "n_steps": 100, "n_steps_per_frame": 20,
        "device": "cpu", "timestep_fs": 4.0,
    }  # fmt: skip
    return Config.model_validate(chosen | changes)


def straight(n_replicas: int, n_beads: int) -> States:
    positions = np.zeros((n_replicas, n_beads, 3))
    positions[..., 0] = 3.8 * np.arange(n_beads)
    return States(positions, np.zeros_like(positions))


@pytest.mark.random_outcome
def test_a_harmonic_system_has_its_temperature_in_motion_and_in_place(
    margin, other_seed
) -> None:
    field = Wells(3, k=1.0)
    run = Propagator(
        settings(n_steps=6000, n_steps_per_frame=10, friction_per_ps=5.0), field
    )
    n_replicas = 128
    frames = run.propagate(
        straight(n_replicas, 3), range(other_seed, other_seed + n_replicas)
    )
    x = frames.positions[:, 100:].astype(float)
    x -= x.mean(axis=2, keepdims=True)
    # n - 1 free vectors, each with energy 3/2 kT
    energy = 3 * 1.0 * (x**2).sum((2, 3)).mean()
    margin("energy / exact", energy / (2 * 1.5 * KT), near=1.0, within=0.02)


@pytest.mark.random_outcome
def test_a_free_particle_gets_the_velocities_of_its_mass(margin, other_seed) -> None:
    field = HarmonicChain(4, k=0.0)
    chosen = settings(
        n_steps=400, n_steps_per_frame=400, friction_per_ps=10.0, max_bond_angstrom=1e6
    )
    run = Propagator(chosen, field)
    n_replicas = 12_288
    seeds = range(10**6 + other_seed, 10**6 + other_seed + n_replicas)
    v = run.propagate(straight(n_replicas, 4), seeds).final.velocities
    found = (v**2).mean(axis=(0, 2)) * np.array(field.masses_amu) / ACCELERATION
    for bead, energy in enumerate(found):
        margin(f"bead {bead}: m v^2 / kT", energy / KT, near=1.0, within=0.05)
    margin("mean: m v^2 / kT", found.mean() / KT, near=1.0, within=0.02)


@pytest.mark.random_outcome
def test_a_free_particle_diffuses_as_einstein_says(margin, other_seed) -> None:
    """D = kT / (m gamma), here after many friction times."""
    field = HarmonicChain(2, k=0.0)
    friction, n_steps = 20.0, 2000
    chosen = settings(n_steps=n_steps, n_steps_per_frame=n_steps,
                      friction_per_ps=friction, max_bond_angstrom=1e6)  # fmt: skip
    run = Propagator(chosen, field)
    begin = straight(4096, 2)
    end = run.propagate(begin, range(other_seed, other_seed + 4096)).final.positions
    moved = end - (begin.positions - begin.positions.mean(1, keepdims=True))
    time = n_steps * 0.004 - 1.5 / friction  # ballistic start of Langevin motion
    for bead, mass in enumerate(field.masses_amu):
        constant = KT / mass * ACCELERATION / friction
        ratio = (moved[:, bead] ** 2).mean() / (2 * constant * time)
        margin(f"bead {bead}: distance^2 / exact", ratio, near=1.0, within=0.08)


@pytest.mark.random_outcome
def test_bond_lengths_follow_the_boltzmann_law(margin, other_seed) -> None:
    field = HarmonicChain(2, k=50.0)
    run = Propagator(settings(n_steps=5000, n_steps_per_frame=10, timestep_fs=2.0,
                              friction_per_ps=5.0), field)  # fmt: skip
    frames = run.propagate(
        straight(768, 2), range(other_seed, other_seed + 768)
    ).positions[:, 50:]
    found = np.linalg.norm(frames[:, :, 1] - frames[:, :, 0], axis=-1)
    r = np.linspace(3.0, 4.6, 2001)
    p = r**2 * np.exp(-50.0 * (r - 3.8) ** 2 / KT)
    p /= p.sum()
    margin("mean - exact, Angstrom", found.mean() - p @ r, near=0.0, within=0.002)
    spread = np.sqrt(p @ r**2 - (p @ r) ** 2)
    margin("spread / exact", found.std() / spread, near=1.0, within=0.02)


def test_a_block_of_one_and_a_block_of_64_agree() -> None:
    run = Propagator(settings(n_steps=100), HarmonicChain(10))
    starts = straight(64, 10)
    packed = run.propagate(starts, range(100, 164))
    for row in (0, 31, 63):
        alone = run.propagate(starts.take([row]), [100 + row])
        np.testing.assert_allclose(packed.positions[row], alone.positions[0], atol=1e-5)
        np.testing.assert_allclose(packed.forces[row], alone.forces[0], atol=1e-3)


def test_blocks_beyond_the_limit_are_split_without_changing_the_result() -> None:
    starts, seeds = straight(10, 4), list(range(10))
    whole = Propagator(settings(), HarmonicChain(4)).propagate(starts, seeds)
    split = Propagator(settings(max_replicas=4), HarmonicChain(4))
    np.testing.assert_allclose(
        split.propagate(starts, seeds).positions, whole.positions, atol=1e-5
    )


def test_recorded_forces_are_the_force_fields_at_the_recorded_positions() -> None:
    field = HarmonicChain(5)
    frames = Propagator(settings(), field).propagate(straight(3, 5), [1, 2, 3])
    flat = torch.tensor(frames.positions.reshape(-1, 5, 3))
    expected = field.compute(flat)[1].numpy().reshape(frames.forces.shape)
    np.testing.assert_allclose(frames.forces, expected, atol=1e-4)


def test_a_torn_bond_fails_alone_and_early() -> None:
    run = Propagator(settings(), HarmonicChain(4))
    starts = straight(5, 4)
    good = run.propagate(starts, [1, 2, 3, 4, 5])
    starts.positions[2, 3] += 30.0
    frames = run.propagate(starts, [1, 2, 3, 4, 5])
    assert frames.failed.tolist() == [False, False, True, False, False]
    assert np.isnan(frames.positions[2]).all()
    assert np.isfinite(frames.final.positions).all()
    for row in (0, 1, 3, 4):
        np.testing.assert_allclose(
            frames.positions[row], good.positions[row], atol=1e-5
        )


def test_a_block_in_which_all_fail_ends() -> None:
    starts = straight(2, 4)
    starts.positions[:] = np.nan
    frames = Propagator(settings(), HarmonicChain(4)).propagate(starts, [1, 2])
    assert frames.failed.all()


class Counting(HarmonicChain):
    """Counts the replicas whose forces were asked for."""

    n_computed = 0

    def compute(self, positions: Tensor) -> tuple[Tensor, Tensor]:
        self.n_computed += len(positions)
        return super().compute(positions)


def test_only_live_replicas_are_integrated() -> None:
    field = Counting(4)
    starts = straight(4, 4)
    starts.positions[0, 0] += 100.0
    Propagator(settings(n_steps=100), field).propagate(starts, [1, 2, 3, 4])
    # four at the start and until the first look at step 10, then three
    assert field.n_computed == 4 + 10 * 4 + 90 * 3


def test_drifting_far_away_costs_no_precision() -> None:
    """The centroid is taken out, so a copy at 10^6 Angstrom moves the same."""
    run = Propagator(settings(), HarmonicChain(4))
    near, far = straight(1, 4), straight(1, 4)
    far.positions[:] += 1e6
    np.testing.assert_allclose(
        run.propagate(near, [9]).positions, run.propagate(far, [9]).positions, atol=1e-4
    )


def test_wrong_numbers_of_beads_or_seeds_are_named() -> None:
    run = Propagator(settings(), HarmonicChain(4))
    with pytest.raises(ShapeMismatchError, match="5 beads"):
        run.propagate(straight(1, 5), [1])
    with pytest.raises(ShapeMismatchError, match="1 seeds"):
        run.propagate(straight(2, 4), [1])


def test_auto_finds_a_device() -> None:
    assert choose_device("auto") in {"cpu", "cuda"}
    assert choose_device("cpu") == "cpu"


@pytest.mark.random_outcome
def test_without_inertia_a_harmonic_system_has_its_exact_spread(
    margin, other_seed
) -> None:
    """Leimkuhler and Matthews' scheme is exact here, for any stable time step."""
    field = Wells(2, k=0.5)
    chosen = settings(n_steps=4000, n_steps_per_frame=10, dynamics="overdamped",
                      timestep_fs=20.0, friction_per_ps=50.0)  # fmt: skip
    frames = Propagator(chosen, field).propagate(
        straight(512, 2), range(other_seed, other_seed + 512)
    )
    apart = frames.positions[:, 100:, 1] - frames.positions[:, 100:, 0]
    # U = 2 k (|x1 - c|^2 + |x2 - c|^2) = k |x1 - x2|^2, so each axis has kT / 2k
    ratio = apart.astype(float).var() / (KT / (2 * 0.5))
    margin("variance / exact", ratio, near=1.0, within=0.03)


@pytest.mark.random_outcome
def test_without_inertia_a_free_particle_diffuses_from_the_first_step(
    margin, other_seed
) -> None:
    field = HarmonicChain(2, k=0.0)
    n_steps, friction = 200, 50.0
    chosen = settings(n_steps=n_steps, n_steps_per_frame=n_steps,
                      dynamics="overdamped", friction_per_ps=friction,
                      max_bond_angstrom=1e6)  # fmt: skip
    begin = straight(12_288, 2)
    end = (
        Propagator(chosen, field)
        .propagate(begin, range(other_seed, other_seed + 12_288))
        .final.positions
    )
    moved = end - (begin.positions - begin.positions.mean(1, keepdims=True))
    for bead, mass in enumerate(field.masses_amu):
        constant = KT / mass * ACCELERATION / friction
        # the first and last noise count half; velocities began at rest
        time = (n_steps - 0.75) * 0.004
        ratio = (moved[:, bead] ** 2).mean() / (2 * constant * time)
        margin(f"bead {bead}: distance^2 / exact", ratio, near=1.0, within=0.04)
