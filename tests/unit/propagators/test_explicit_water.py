"""All-atom WE in a small box of water: the box travels with its walker."""

from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from apps.science.propagators.base import States
from apps.science.propagators.openmm import Config, Propagator
from apps.science.systems.info import read_starts
from apps.science.we.config import WEConfig
from apps.science.we.storage import journal
from apps.science.we.storage.shards import Origin, read_final, read_origins

N_STEPS = 50  # the barostat moves every 25


@pytest.fixture(scope="session")
def water_system(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a prepared alanine dipeptide in the smallest box of TIP3P-FB."""
    from apps.science.systems.config import SystemConfig
    from apps.science.systems.prepare import prepare_system

    config = SystemConfig(
        sequence="A", caps=True, solvent="tip3pfb", padding_nm=0.4,
        equilibration_ps=0.2, n_minimisation_steps=30,
    )  # fmt: skip
    return prepare_system(config, 3, tmp_path_factory.mktemp("water") / "system")


def settings(system: Path) -> dict[str, object]:
    return {
        "kind": "openmm", "system_dir": str(system), "platform": "CPU",
        "n_steps": N_STEPS, "n_steps_per_frame": 25,
    }  # fmt: skip


def starts_of(system: Path) -> States:
    starts = read_starts(system)
    return States(starts.positions, starts.velocities, starts.box)


@pytest.fixture(scope="module")
def warm(water_system: Path) -> Propagator:
    return Propagator(Config.model_validate(settings(water_system)))


@pytest.mark.random_outcome
def test_the_volume_moves_and_is_replayed_to_the_bit(
    warm: Propagator, water_system: Path, margin, other_seed
) -> None:
    start = starts_of(water_system)
    states = start.take([0] * 3)
    first = warm.propagate(states, [other_seed + k for k in (11, 12, 11)])
    fresh = Propagator(warm.config).propagate(states.take([1]), [other_seed + 12])
    boxes = first.final.box
    assert boxes is not None
    assert start.box is not None
    assert not first.failed.any()
    volumes = np.linalg.det(boxes)
    assert (volumes != np.linalg.det(start.box[0])).any()
    assert volumes[0] != volumes[1]
    margin("volumes", volumes[0] / volumes[1], near=1.0, within=0.05)
    for name in ("positions", "forces"):
        np.testing.assert_array_equal(getattr(first, name)[0], getattr(first, name)[2])
        np.testing.assert_array_equal(getattr(first, name)[1], getattr(fresh, name)[0])
    np.testing.assert_array_equal(boxes[0], boxes[2])
    assert fresh.final.box is not None
    np.testing.assert_array_equal(boxes[1], fresh.final.box[0])


def test_we_hands_each_box_from_parent_to_child_whatever_the_blocks(
    tmp_path: Path,
    water_system: Path,
    run_walkers: Callable[..., Path],
    warm: Propagator,
) -> None:
    config = WEConfig(
        n_iterations=2, walkers_per_bin=2, bins={"kind": "mab", "nbins": [2]}
    )
    start = starts_of(water_system)
    how = (config, settings(water_system), start)
    west = [run_walkers(tmp_path / str(size), *how, block_size=size) for size in (1, 3)]
    with h5py.File(west[0], "r") as one, h5py.File(west[1], "r") as other:
        for n_iter in (1, 2):
            group = f"iterations/iter_{n_iter:08d}"
            np.testing.assert_array_equal(
                one[f"{group}/pcoord"][:], other[f"{group}/pcoord"][:]
            )
            np.testing.assert_array_equal(
                one[f"{group}/seg_index"]["weight"],
                other[f"{group}/seg_index"]["weight"],
            )
    records = [journal.read_record(tmp_path / "3" / "journal", n) for n in (1, 2)]
    parents = {s.seg_id: s for s in records[0].segments}
    child = records[1].segments[-1]
    parent = parents[child.parent_id]
    states = read_origins([Origin(parent.shard, parent.row)], start)
    assert states.box is not None
    held = read_final(Path(parent.shard)).box
    assert held is not None
    np.testing.assert_array_equal(states.box[0], held[parent.row])
    assert np.linalg.det(held).std() > 0
    again = warm.propagate(states, [1])
    assert not again.failed.any()


def test_frames_hold_the_solute_alone(warm: Propagator, water_system: Path) -> None:
    frames = warm.propagate(starts_of(water_system), [1])
    n_particles = warm.info.n_particles
    assert n_particles > 2000
    assert frames.positions.shape == (1, 2, 22, 3)
    assert frames.final.positions.shape == (1, n_particles, 3)
    assert np.isfinite(frames.final.positions).all()


def test_the_example_is_table_4_1_of_the_thesis(water_system: Path) -> None:
    import openmm
    from openmm import unit

    from apps.science.systems.config import SystemConfig
    from apps.science.systems.engine import CONSTRAINT_TOLERANCE
    from campaign.config import load_campaign

    folder = Path(__file__).parents[3] / "examples" / "03_explicit_water"
    campaign = load_campaign(folder / "campaign.yaml")
    made, sample = campaign.system, campaign.sample
    assert made.solvent == "tip3pfb"
    assert (made.temperature_kelvin, made.pressure_atm) == (300, 1)
    assert (made.friction_per_ps, made.timestep_fs) == (1, 4)
    assert made.hydrogen_mass_amu == 1.5
    assert CONSTRAINT_TOLERANCE == 1e-6
    assert (sample.bins.kind, sample.bins.nbins) == ("mab", (9, 9))
    assert sample.walkers_per_bin == 6
    assert sample.segment_length_fs / made.timestep_fs == 1000
    assert sample.frame_interval_fs / made.timestep_fs == 100
    # and what those settings build, in the small box
    same = ("temperature_kelvin", "pressure_atm", "hydrogen_mass_amu")
    defaults = SystemConfig(sequence="A", caps=True, solvent="tip3pfb")
    assert all(getattr(made, name) == getattr(defaults, name) for name in same)
    system = openmm.XmlSerializer.deserialize(
        (water_system / "system.xml").read_text(encoding="utf-8")
    )
    forces = {force.getName(): force for force in system.getForces()}
    barostat, nonbonded = forces["MonteCarloBarostat"], forces["NonbondedForce"]
    assert barostat.getFrequency() == 25
    pressure = barostat.getDefaultPressure().value_in_unit(unit.bar)
    assert pressure == pytest.approx(1.01325)
    assert nonbonded.getNonbondedMethod() == openmm.NonbondedForce.PME
    masses = {
        round(system.getParticleMass(k).value_in_unit(unit.amu), 3) for k in range(22)
    }
    assert 1.5 in masses
    n_waters = (system.getNumParticles() - 22) // 3
    n_hydrogens = 12
    assert system.getNumConstraints() == 3 * n_waters + n_hydrogens
