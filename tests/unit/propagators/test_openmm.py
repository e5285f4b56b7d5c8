"""All-atom dynamics: canonical, exactly replayed, and honest about failure."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from apps.science.errors import ConfigError, DataError, ShapeMismatchError
from apps.science.propagators.base import States
from apps.science.propagators.openmm import Config, Propagator
from apps.science.systems.info import read_starts
from apps.science.units import ACCELERATION, KB_KCAL_PER_MOL_K


def make(system: Path, **given: Any) -> Propagator:
    settings = {"n_steps": 50, "n_steps_per_frame": 10, **given}
    return Propagator(Config(system_dir=str(system), **settings))


def starts_of(system: Path, n_copies: int = 1) -> States:
    starts = read_starts(system)
    return States(starts.positions, starts.velocities).take([0] * n_copies)


def test_shapes_and_the_last_frame_is_the_end_point(alanine_system: Path) -> None:
    frames = make(alanine_system).propagate(starts_of(alanine_system, 2), [1, 2])
    assert frames.positions.shape == frames.forces.shape == (2, 5, 22, 3)
    assert frames.positions.dtype == frames.forces.dtype == np.float32
    np.testing.assert_allclose(
        frames.positions[:, -1], frames.final.positions, atol=1e-5
    )
    assert not frames.failed.any()


@pytest.mark.parametrize("platform", ["Reference", "CPU"])
def test_a_segment_is_replayed_to_the_bit_whatever_ran_before(
    alanine_system: Path, platform: str
) -> None:
    start = starts_of(alanine_system)
    warm = make(alanine_system, platform=platform)
    first = warm.propagate(start, [11])
    warm.propagate(States(start.positions + 3.0, -start.velocities), [12])
    again = warm.propagate(start, [11])
    cold = make(alanine_system, platform=platform).propagate(start, [11])
    for other in (again, cold):
        np.testing.assert_array_equal(first.positions, other.positions)
        np.testing.assert_array_equal(first.forces, other.forces)
        np.testing.assert_array_equal(first.final.positions, other.final.positions)
        np.testing.assert_array_equal(first.final.velocities, other.final.velocities)


def test_another_seed_gives_another_path(alanine_system: Path) -> None:
    frames = make(alanine_system).propagate(starts_of(alanine_system, 2), [1, 2])
    assert np.abs(frames.positions[0] - frames.positions[1]).max() > 0.01


def test_without_exact_replay_noise_goes_on(alanine_system: Path) -> None:
    warm = make(alanine_system, exact_replay=False)
    start = starts_of(alanine_system)
    one, two = warm.propagate(start, [1]), warm.propagate(start, [1])
    assert not one.failed.any()
    assert np.abs(one.positions - two.positions).max() > 0.01


def test_a_restart_from_single_precision_keeps_constraints_and_energy(
    alanine_system: Path,
) -> None:
    warm = make(alanine_system)
    end = warm.propagate(starts_of(alanine_system), [3]).final
    shift = 40.0  # single precision is coarser away from the origin
    rounded = States(
        (end.positions + shift).astype(np.float32).astype(float),
        end.velocities.astype(np.float32).astype(float),
    )
    exact = warm.propagate(end, [4])
    near = warm.propagate(rounded, [4])
    pairs = np.array(warm.info.constraints)
    lengths = [
        np.linalg.norm(
            f.positions[0, 0, pairs[:, 0]] - f.positions[0, 0, pairs[:, 1]], axis=-1
        )
        for f in (exact, near)
    ]
    np.testing.assert_allclose(lengths[0], lengths[1], rtol=2e-5)
    moved = near.positions[0, 0] - shift - exact.positions[0, 0]
    assert np.abs(moved).max() < 1e-3


def test_a_bad_state_fails_alone(alanine_system: Path) -> None:
    states = starts_of(alanine_system, 3)
    positions = states.positions.copy()
    positions[1, 3] = positions[1, 7]  # two atoms in one place
    broken = States(positions, states.velocities)
    warm = make(alanine_system)
    frames = warm.propagate(broken, [1, 2, 3])
    assert frames.failed.tolist() == [False, True, False]
    assert np.isnan(frames.positions[1]).all()
    alone = warm.propagate(states.take([2]), [3])
    np.testing.assert_array_equal(frames.positions[2], alone.positions[0])


def test_an_energy_above_the_bound_is_a_failure(alanine_system: Path) -> None:
    warm = make(alanine_system, max_energy_kcal_per_mol=-1000.0)
    assert warm.propagate(starts_of(alanine_system), [1]).failed.all()


def test_forces_are_the_gradient_of_the_energy(alanine_system: Path) -> None:
    import openmm

    warm = make(alanine_system, n_steps=1, n_steps_per_frame=1)
    frames = warm.propagate(starts_of(alanine_system), [8])
    system = openmm.XmlSerializer.deserialize(
        (alanine_system / "system.xml").read_text(encoding="utf-8")
    )
    context = openmm.Context(
        system,
        openmm.VerletIntegrator(0.001),
        openmm.Platform.getPlatformByName("Reference"),
    )

    def energy(positions: np.ndarray) -> float:
        context.setPositions(positions / 10)
        found = context.getState(energy=True).getPotentialEnergy()._value
        return float(found) / 4.184

    base = frames.final.positions[0]
    for atom, axis in ((0, 0), (8, 1), (21, 2)):
        step = np.zeros_like(base)
        step[atom, axis] = 1e-4
        slope = (energy(base + step) - energy(base - step)) / 2e-4
        assert frames.forces[0, 0, atom, axis] == pytest.approx(-slope, abs=0.02)


@pytest.mark.random_outcome
@pytest.mark.slow
def test_the_kinetic_temperature_is_the_asked_one(
    alanine_system: Path, margin, other_seed
) -> None:
    import openmm

    warm = make(
        alanine_system, n_steps=250, n_steps_per_frame=250, friction_per_ps=10.0
    )
    system = openmm.XmlSerializer.deserialize(
        (alanine_system / "system.xml").read_text(encoding="utf-8")
    )
    masses = np.array([system.getParticleMass(k)._value for k in range(22)])
    state = starts_of(alanine_system)
    temperatures = []
    for k in range(900):
        state = warm.propagate(state, [other_seed + k]).final
        kinetic = 0.5 * (masses[:, None] * state.velocities[0] ** 2).sum()
        n_degrees = 3 * 22 - 12 - 3
        temperatures.append(2 * kinetic / ACCELERATION / n_degrees / KB_KCAL_PER_MOL_K)
    margin("kelvin", np.mean(temperatures), near=300.0, within=14.0)


def test_states_of_another_system_are_refused(alanine_system: Path) -> None:
    with pytest.raises(ShapeMismatchError, match="22, 3"):
        make(alanine_system).propagate(
            States(np.zeros((1, 5, 3)), np.zeros((1, 5, 3))), [1]
        )


def test_an_unknown_platform_lists_those_that_exist(alanine_system: Path) -> None:
    with pytest.raises(ConfigError, match="'Abacus' here: found Reference, CPU"):
        make(alanine_system, platform="Abacus")


def test_settings_are_checked_before_anything_is_built(tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match="absolute path"):
        Config(system_dir="system", n_steps=10, n_steps_per_frame=5)
    with pytest.raises(ValidationError, match="no whole number of frames"):
        Config(system_dir=str(tmp_path), n_steps=10, n_steps_per_frame=3)
    with pytest.raises(DataError, match="prepare stage"):
        make(tmp_path)
