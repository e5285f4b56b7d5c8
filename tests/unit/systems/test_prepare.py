"""Prepared systems: the right particles, near the structure asked for, same bits."""

import hashlib
from pathlib import Path

import numpy as np
import openmm
import pytest
from openmm import app, unit

from apps.science.errors import DataError
from apps.science.pcoords._beads import read_structure
from apps.science.systems.build import build_system
from apps.science.systems.config import SystemConfig
from apps.science.systems.info import read_starts, read_system_info
from apps.science.systems.prepare import _identify, prepare_system
from apps.science.systems.superpose import superposed_rmsd
from apps.science.units import ACCELERATION, KB_KCAL_PER_MOL_K

FILES = ("system.xml", "topology.pdb", "protein.pdb", "starts.npz", "system.json")


@pytest.fixture(scope="module")
def chignolin(tmp_path_factory: pytest.TempPathFactory, other_seed: int) -> Path:
    config = SystemConfig(
        fold="chignolin", solvent="obc2", equilibration_ps=1, unfolding_starts=2,
        unfolding_ps=4,
    )  # fmt: skip
    return prepare_system(config, 3, tmp_path_factory.mktemp("cln") / "system")


def test_alanine_dipeptide_is_what_it_should_be(alanine_system: Path) -> None:
    info = read_system_info(alanine_system)
    assert info.n_particles == 22
    assert info.sequence == "A"
    assert info.start_names == ["extended"]
    assert len(info.constraints) == 12  # bonds to its 12 hydrogens
    assert sum(info.masses_amu) == pytest.approx(144.17, abs=0.01)
    system = openmm.XmlSerializer.deserialize(
        (alanine_system / "system.xml").read_text(encoding="utf-8")
    )
    masses = [system.getParticleMass(k).value_in_unit(unit.amu) for k in range(22)]
    assert sum(masses) == pytest.approx(144.17, abs=0.01)
    assert min(masses) == pytest.approx(1.5)


@pytest.mark.random_outcome
def test_chignolin_has_both_starts_near_what_was_built(chignolin: Path, margin) -> None:
    info = read_system_info(chignolin)
    assert info.n_particles == 166
    assert info.start_names == ["native", "extended", "unfolding_1", "unfolding_2"]
    assert sum(info.start_probabilities) == pytest.approx(1)
    margin("RMSD, Angstrom", max(info.ca_rmsd_to_build_angstrom), below=1.3)
    margin("energy", max(info.start_energies_kcal_per_mol), below=0)
    ca = [
        atom.index
        for atom in app.PDBFile(str(chignolin / "protein.pdb")).topology.atoms()
        if atom.name == "CA"
    ]
    native, extended, *hot = read_starts(chignolin).positions[:, ca]
    margin("native: ends", np.linalg.norm(native[-1] - native[0]), below=10)
    apart = np.linalg.norm(extended[-1] - extended[0])
    margin("extended: ends", apart, above=28)
    ways = [superposed_rmsd(x[None], native)[0] for x in hot]
    margin("unfolding: ln of RMSD, Angstrom", np.log(min(ways)), above=np.log(0.05))


@pytest.mark.random_outcome
def test_starts_obey_constraints_and_are_warm(chignolin: Path, margin) -> None:
    info, starts = read_system_info(chignolin), read_starts(chignolin)
    pairs = np.array(info.constraints)
    system = openmm.XmlSerializer.deserialize(
        (chignolin / "system.xml").read_text(encoding="utf-8")
    )
    lengths = [
        system.getConstraintParameters(k)[2].value_in_unit(unit.angstrom)
        for k in range(system.getNumConstraints())
    ]
    bonds = starts.positions[:, pairs[:, 0]] - starts.positions[:, pairs[:, 1]]
    found = np.linalg.norm(bonds, axis=-1)
    np.testing.assert_allclose(found, np.tile(lengths, (4, 1)), rtol=1e-5)
    masses = np.array(
        [system.getParticleMass(k).value_in_unit(unit.amu) for k in range(166)]
    )
    kinetic = 0.5 * (masses[:, None] * starts.velocities**2).sum(axis=(1, 2))
    n_degrees = 3 * 166 - len(pairs) - 3
    temperature = 2 * kinetic / ACCELERATION / n_degrees / KB_KCAL_PER_MOL_K
    # 27 K are a standard deviation of so few degrees of freedom
    for name, kelvin in zip(info.start_names, temperature, strict=True):
        margin(f"{name}: K", kelvin, near=300.0, within=140.0)


def test_protein_pdb_lists_the_recorded_atoms(chignolin: Path) -> None:
    info = read_system_info(chignolin)
    assert read_structure(chignolin / "protein.pdb").shape == (166, 3)
    elements = [
        atom.element.mass.value_in_unit(unit.amu)
        for atom in app.PDBFile(str(chignolin / "protein.pdb")).topology.atoms()
    ]
    np.testing.assert_allclose(elements, info.masses_amu)


def test_the_same_seed_gives_the_same_bits_and_a_finished_one_stays(
    tmp_path: Path,
) -> None:
    config = SystemConfig(sequence="G", caps=True, solvent="obc2", equilibration_ps=0.2)
    one = prepare_system(config, 5, tmp_path / "one")
    two = prepare_system(config, 5, tmp_path / "two")
    for name in FILES:
        assert (one / name).read_bytes() == (two / name).read_bytes(), name
    before = {name: (one / name).stat().st_mtime_ns for name in FILES}
    prepare_system(config, 5, one)
    assert before == {name: (one / name).stat().st_mtime_ns for name in FILES}
    other = prepare_system(config, 6, tmp_path / "two")
    assert (one / "starts.npz").read_bytes() != (other / "starts.npz").read_bytes()
    assert not list(tmp_path.glob(".*"))


def test_settings_that_came_later_change_no_older_folder() -> None:
    """Hashes as the version before 0.2 took them."""
    config = SystemConfig(fold="chignolin", solvent="obc2", equilibration_ps=4)
    later = {"leave_out", "replace", "conformer", "model", "unfolding_starts",
             "unfolding_kelvin", "unfolding_ps"}  # fmt: skip
    then = config.model_dump_json(exclude={"pdb", *later})
    assert _identify(config, 3) == hashlib.sha256(f"{then}::3".encode()).hexdigest()
    for changed in ({"unfolding_starts": 0}, {"unfolding_kelvin": 450}):
        other = config.model_copy(update=changed)
        assert _identify(other, 3) != _identify(config, 3)


def test_an_unprepared_folder_says_what_to_run(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="prepare stage"):
        read_system_info(tmp_path)


def test_native_obc2_has_the_forces_of_the_interpreted_form() -> None:
    config = SystemConfig(sequence="AW", solvent="obc2")
    built = build_system(config, 1)
    force_field = app.ForceField("amber14-all.xml", "implicit/obc2.xml")
    interpreted = force_field.createSystem(
        built.topology, constraints=app.HBonds, hydrogenMass=1.5 * unit.amu
    )
    names = {force.getName() for force in built.system.getForces()}
    assert "GBSAOBCForce" in names
    assert "CustomGBForce" not in names
    forces = []
    for system in (built.system, interpreted):
        context = openmm.Context(
            system,
            openmm.VerletIntegrator(0.001),
            openmm.Platform.getPlatformByName("Reference"),
        )
        context.setPositions(built.positions[0] / 10)
        state = context.getState(forces=True)
        forces.append(state.getForces(asNumpy=True)._value)
    np.testing.assert_allclose(forces[0], forces[1], atol=1e-2, rtol=1e-4)


@pytest.mark.slow
def test_explicit_water_is_periodic_neutral_and_heavy(tmp_path: Path) -> None:
    config = SystemConfig(
        sequence="D", caps=True, solvent="tip3pfb", padding_nm=0.8,
        ionic_strength_molar=0.15, equilibration_ps=0.2, n_minimisation_steps=50,
    )  # fmt: skip
    out = prepare_system(config, 2, tmp_path / "system")
    info, starts = read_system_info(out), read_starts(out)
    assert info.periodic
    assert len(info.recorded_atoms) == 24
    assert info.n_particles > 1000
    assert starts.box is not None
    assert starts.box.shape == (1, 3, 3)
    system = openmm.XmlSerializer.deserialize(
        (out / "system.xml").read_text(encoding="utf-8")
    )
    nonbonded = next(
        f for f in system.getForces() if isinstance(f, openmm.NonbondedForce)
    )
    charge = sum(
        nonbonded.getParticleParameters(k)[0]._value for k in range(info.n_particles)
    )
    assert charge == pytest.approx(0, abs=1e-6)
    assert "MonteCarloBarostat" in {f.getName() for f in system.getForces()}
