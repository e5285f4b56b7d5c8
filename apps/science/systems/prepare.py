"""Prepare a system: build, minimise, equilibrate, write the ``system/`` folder."""

import hashlib
import logging
import os
import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from apps.science.arrays import Array
from apps.science.content import hash_content
from apps.science.errors import NumericalError
from apps.science.files import hash_file, make_folder, write_json
from apps.science.seeds import derive_seed, openmm_seed
from apps.science.systems import info as layout
from apps.science.systems.build import BuiltSystem, build_system
from apps.science.systems.config import SystemConfig
from apps.science.systems.engine import make_context, make_integrator
from apps.science.systems.superpose import superposed_rmsd
from apps.science.systems.unfolding import name_starts, spell_starts, unfold
from apps.science.units import ANGSTROM_PER_NM, FORCE_OPENMM_TO_KCAL, FS_PER_PS

logger = logging.getLogger(__name__)

_FILES = (
    layout.SYSTEM_XML,
    layout.TOPOLOGY_PDB,
    layout.PROTEIN_PDB,
    layout.STARTS,
    layout.SYSTEM_JSON,
)
_LATER_KEYS = (
    "leave_out", "replace", "conformer", "model",
    "unfolding_starts", "unfolding_kelvin", "unfolding_ps",
)  # fmt: skip
"""Settings that came later: where they are not used, older folders stay valid."""
_RESTRAINT = "restraint"
_RESTRAINT_KCAL_PER_MOL_ANGSTROM2 = 1.0
_FRICTION_PER_PS = 10.0
"""Warms within a picosecond; friction does not change what equilibrium is."""
_WARM_UP_FRACTION, _WARM_UP_TIMESTEP_FS = 0.1, 1.0


@dataclass(frozen=True)
class _Start:
    minimised: Array
    positions: Array
    velocities: Array
    box: Array | None
    energy: float


def prepare_system(
    config: SystemConfig, seed: int, out: Path, platform: str = "CPU"
) -> Path:
    """Write system.xml, topology.pdb, protein.pdb, starts.npz, system.json to ``out``.

    Every start is minimised, then equilibrated with its heavy atoms held by weak
    harmonic restraints, so that it is warm and still the structure asked for. The
    same settings and seed give the same bits on one machine's CPU platform. Where
    ``out`` already holds this system, nothing is done.

    Raises
    ------
    StructureError
        If the protein cannot be described by the force field.
    NumericalError
        If equilibration ran away.
    """
    identity = _identify(config, seed)
    if _is_done(out, identity):
        return out
    built = build_system(config, derive_seed(seed, "prepare", 0))
    starts = []
    for k, positions in enumerate(built.positions, start=1):
        number = openmm_seed(derive_seed(seed, "prepare", k))
        starts.append(_equilibrate(built, config, positions, number, platform))
    if built.n_unfolding:
        built = _add_unfolding(built, starts, config, seed, platform)
    draft = out.with_name(f".{out.name}.{os.getpid()}.tmp")
    shutil.rmtree(draft, ignore_errors=True)
    make_folder(draft)
    try:
        _write(built, starts, config, identity, draft)
        make_folder(out)
        (out / layout.SYSTEM_JSON).unlink(missing_ok=True)
        for name in _FILES:  # system.json last: it says that the others are whole
            if not _means_the_same(draft / name, out / name):
                (draft / name).replace(out / name)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return out


def _add_unfolding(
    built: BuiltSystem, starts: list[_Start], config: SystemConfig, seed: int,
    platform: str,
) -> BuiltSystem:  # fmt: skip
    """Add starts of a hot run to ``starts``; return what all were made from."""
    number = openmm_seed(derive_seed(seed, "unfolding", 0))
    hot = unfold(
        built.system, starts[0].positions, config, built.n_unfolding, number, platform
    )
    for k, positions in enumerate(hot, start=1):
        number = openmm_seed(derive_seed(seed, "unfolding", k))
        starts.append(_equilibrate(built, config, positions, number, platform))
    return replace(
        built,
        start_names=built.start_names + name_starts(len(hot)),
        positions=np.concatenate([built.positions, hot]),
    )


def _means_the_same(one: Path, other: Path) -> bool:
    """Tell whether a file differs from another, if at all, in its date alone."""
    if not other.is_file():
        return False
    content = hash_content(one)
    return content is not None and content == hash_content(other)


def _identify(config: SystemConfig, seed: int) -> str:
    content = "" if config.pdb is None else hash_file(config.pdb)
    fields = SystemConfig.model_fields
    unset = {
        key
        for key in _LATER_KEYS
        if getattr(config, key) == fields[key].get_default(call_default_factory=True)
    }
    settings = config.model_dump_json(exclude={"pdb", *unset})
    return hashlib.sha256(f"{settings}:{content}:{seed}".encode()).hexdigest()


def _is_done(out: Path, identity: str) -> bool:
    if not all((out / name).is_file() for name in _FILES):
        return False
    return layout.read_system_info(out).prepared_from == identity


def _equilibrate(
    built: BuiltSystem,
    config: SystemConfig,
    positions: Array,
    number: int,
    platform: str,
) -> _Start:
    import openmm
    from openmm import unit

    system = openmm.XmlSerializer.clone(built.system)
    _restrain(system, built, positions)
    _seed_forces(system, number)
    integrator = make_integrator(
        config.temperature_kelvin,
        max(_FRICTION_PER_PS, config.friction_per_ps),
        config.timestep_fs,
        number,
    )
    context = make_context(system, integrator, platform, "mixed")
    integrator = context.getIntegrator()
    context.setPositions(positions / ANGSTROM_PER_NM)
    try:
        openmm.LocalEnergyMinimizer.minimize(context, 10.0, config.n_minimisation_steps)
    except openmm.OpenMMException as error:
        raise NumericalError(
            f"Minimisation ran away: {error}. Atoms lie upon each other in the "
            "structure; mend its coordinates."
        ) from None
    minimised = _positions(context)
    context.setVelocitiesToTemperature(config.temperature_kelvin, number)
    _hold_at(context, built, minimised)
    warm_up_ps = config.equilibration_ps * _WARM_UP_FRACTION
    timestep_fs = min(_WARM_UP_TIMESTEP_FS, config.timestep_fs)
    try:
        integrator.setStepSize(timestep_fs * unit.femtosecond)
        integrator.step(round(warm_up_ps * FS_PER_PS / timestep_fs))
        integrator.setStepSize(config.timestep_fs * unit.femtosecond)
        remaining_ps = config.equilibration_ps - warm_up_ps
        integrator.step(round(remaining_ps * FS_PER_PS / config.timestep_fs))
    except openmm.OpenMMException as error:
        raise NumericalError(
            f"Equilibration ran away: {error}. Use a smaller timestep_fs, or raise "
            "n_minimisation_steps."
        ) from None
    context.setParameter(_RESTRAINT, 0.0)
    state = context.getState(positions=True, velocities=True, energy=True)
    velocities = state.getVelocities(asNumpy=True).value_in_unit(
        unit.angstrom / unit.picosecond
    )
    energy = state.getPotentialEnergy().value_in_unit(unit.kilocalorie_per_mole)
    box = None
    if built.box is not None:
        vectors = state.getPeriodicBoxVectors(asNumpy=True)
        box = np.asarray(vectors.value_in_unit(unit.angstrom))
    return _Start(minimised, _positions(context), velocities, box, float(energy))


def _restrain(system: Any, built: BuiltSystem, positions: Array) -> None:
    """Add harmonic restraints on the solute's heavy atoms, off until held."""
    import openmm

    metric = "periodicdistance(x,y,z,x0,y0,z0)^2"
    if built.box is None:
        metric = "((x-x0)^2+(y-y0)^2+(z-z0)^2)"
    force = openmm.CustomExternalForce(f"{_RESTRAINT}*{metric}")
    force.addGlobalParameter(_RESTRAINT, 0.0)
    for name in ("x0", "y0", "z0"):
        force.addPerParticleParameter(name)
    for atom in _heavy_atoms(built):
        force.addParticle(atom, positions[atom] / ANGSTROM_PER_NM)
    force.setName(_RESTRAINT)
    system.addForce(force)


def _hold_at(context: Any, built: BuiltSystem, positions: Array) -> None:
    """Move the restraints to ``positions`` and switch them on."""
    force = next(
        f for f in context.getSystem().getForces() if f.getName() == _RESTRAINT
    )
    for index, atom in enumerate(_heavy_atoms(built)):
        force.setParticleParameters(index, atom, positions[atom] / ANGSTROM_PER_NM)
    force.updateParametersInContext(context)
    # k in kcal/mol/Angstrom^2 to kJ/mol/nm^2
    per_nm2 = ANGSTROM_PER_NM / FORCE_OPENMM_TO_KCAL
    context.setParameter(_RESTRAINT, _RESTRAINT_KCAL_PER_MOL_ANGSTROM2 * per_nm2)


def _heavy_atoms(built: BuiltSystem) -> list[int]:
    atoms = list(built.topology.atoms())
    return [i for i in built.solute if atoms[i].element.symbol != "H"]


def _seed_forces(system: Any, number: int) -> None:
    for force in system.getForces():
        if hasattr(force, "setRandomNumberSeed"):
            force.setRandomNumberSeed(number)


def _positions(context: Any) -> Array:
    from openmm import unit

    state = context.getState(positions=True)
    found: Array = state.getPositions(asNumpy=True).value_in_unit(unit.angstrom)
    return found


def _write(
    built: BuiltSystem,
    starts: list[_Start],
    config: SystemConfig,
    identity: str,
    out: Path,
) -> None:
    import openmm
    from openmm import app, unit

    text = openmm.XmlSerializer.serialize(built.system)
    (out / layout.SYSTEM_XML).write_text(text, encoding="utf-8")
    with (out / layout.TOPOLOGY_PDB).open("w", encoding="utf-8") as handle:
        app.PDBFile.writeFile(
            built.topology, starts[0].positions * unit.angstrom, handle, keepIds=True
        )
    protein = app.Modeller(built.topology, starts[0].minimised * unit.angstrom)
    n_solute = len(built.solute)
    protein.delete([a for a in built.topology.atoms() if a.index >= n_solute])
    protein.topology.setPeriodicBoxVectors(None)
    with (out / layout.PROTEIN_PDB).open("w", encoding="utf-8") as handle:
        app.PDBFile.writeFile(protein.topology, protein.positions, handle, keepIds=True)
    positions = np.stack([start.positions for start in starts])
    velocities = np.stack([start.velocities for start in starts])
    boxes = [start.box for start in starts if start.box is not None]
    if boxes:
        np.savez(
            out / layout.STARTS,
            positions=positions,
            velocities=velocities,
            box=np.stack(boxes),
        )
    else:
        np.savez(out / layout.STARTS, positions=positions, velocities=velocities)
    found = _describe(built, starts, config, identity)
    write_json(out / layout.SYSTEM_JSON, found.model_dump(mode="json"))
    logger.info(
        "prepared %d particles, starts %s",
        found.n_particles,
        spell_starts(found.start_names),
    )


def _describe(
    built: BuiltSystem, starts: list[_Start], config: SystemConfig, identity: str
) -> layout.SystemInfo:
    from openmm import unit

    atoms = list(built.topology.atoms())
    recorded = {atom: index for index, atom in enumerate(built.solute)}
    pairs = [
        built.system.getConstraintParameters(k)[:2]
        for k in range(built.system.getNumConstraints())
    ]
    ca = [
        i
        for i in built.solute
        if atoms[i].name == "CA" and atoms[i].element.symbol == "C"
    ]
    return layout.SystemInfo(
        prepared_from=identity,
        sequence=built.sequence,
        n_particles=len(atoms),
        recorded_atoms=built.solute,
        masses_amu=[
            atoms[i].element.mass.value_in_unit(unit.amu) for i in built.solute
        ],
        constraints=[
            (recorded[i], recorded[j])
            for i, j in pairs
            if i in recorded and j in recorded
        ],
        temperature_kelvin=config.temperature_kelvin,
        friction_per_ps=config.friction_per_ps,
        timestep_fs=config.timestep_fs,
        solvent=config.solvent,
        periodic=config.explicit,
        n_starts=len(starts),
        start_names=built.start_names,
        start_probabilities=[1.0 / len(starts)] * len(starts),
        start_energies_kcal_per_mol=[start.energy for start in starts],
        ca_rmsd_to_build_angstrom=[
            float(superposed_rmsd(start.minimised[None, ca], built_at[ca])[0])
            for start, built_at in zip(starts, built.positions, strict=True)
        ],
        taken=built.taken,
    )
