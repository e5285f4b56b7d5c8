"""All-atom Langevin dynamics by OpenMM: one warm Context per worker process."""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
from pydantic import Field, field_validator

from apps.science.arrays import Array
from apps.science.errors import ShapeMismatchError
from apps.science.propagators.base import Frames, PropagatorConfig, States
from apps.science.seeds import openmm_seed
from apps.science.systems.engine import (
    CONSTRAINT_TOLERANCE,
    make_context,
    make_integrator,
)
from apps.science.systems.info import SYSTEM_XML, read_system_info
from apps.science.units import ANGSTROM_PER_NM, FORCE_OPENMM_TO_KCAL, KCAL_PER_KJ

logger = logging.getLogger(__name__)


class Config(PropagatorConfig):
    """Settings of all-atom dynamics."""

    kind: Literal["openmm"] = "openmm"
    system_dir: str = Field(description="Absolute path of a prepared system/ folder.")
    timestep_fs: float = Field(4.0, gt=0, le=5, description="Integration time step.")
    temperature_kelvin: float = Field(300.0, gt=0, le=1000, description="Temperature.")
    friction_per_ps: float = Field(1.0, gt=0, le=100, description="Langevin friction.")
    platform: str = Field(
        "auto", description="OpenMM platform (CPU, Reference, CUDA, ...), or auto."
    )
    precision: Literal["single", "mixed", "double"] = Field(
        "mixed", description="Precision on a GPU."
    )
    exact_replay: bool = Field(
        True,
        description="Give the same bits for the same state and seed, whatever ran "
        "before. Costs a new start of the Context per segment (1 to 15 ms on a CPU).",
    )
    max_energy_kcal_per_mol: float = Field(
        1e6, description="A potential energy above this marks a segment as failed."
    )

    @field_validator("system_dir")
    @classmethod
    def _check_absolute(cls, value: str) -> str:
        if not Path(value).is_absolute():
            raise ValueError(f"system_dir {value!r} must be an absolute path.")
        return value


class Propagator:
    """Advances segments one by one in one Context (see ``base.Propagator``)."""

    def __init__(self, config: Config) -> None:
        import openmm

        self.config = config
        folder = Path(config.system_dir)
        self.info = read_system_info(folder)
        self.recorded_atoms = np.array(self.info.recorded_atoms)
        text = (folder / SYSTEM_XML).read_text(encoding="utf-8")
        system = openmm.XmlSerializer.deserialize(text)
        self._set_temperature(system)
        integrator = make_integrator(
            config.temperature_kelvin, config.friction_per_ps, config.timestep_fs, 1
        )
        self._context = make_context(
            system, integrator, config.platform, config.precision
        )
        self._integrator = self._context.getIntegrator()
        self._failure: type[Exception] = openmm.OpenMMException

    @property
    def platform(self) -> str:
        """Name of the OpenMM platform in use."""
        return str(self._context.getPlatform().getName())

    def recorded(self, states: States) -> Array:
        """Return the solute's positions, (n_segments, n_recorded, 3), Angstrom."""
        return states.positions[:, self.recorded_atoms]

    def propagate(self, states: States, seeds: Sequence[int]) -> Frames:
        """Advance every segment by ``n_steps``; a failed one is all NaN.

        Raises
        ------
        ShapeMismatchError
            If the states are of another system.
        """
        return self.advance(
            states, seeds, self.config.n_steps, self.config.n_steps_per_frame
        )

    def advance(
        self, states: States, seeds: Sequence[int], n_steps: int, n_steps_per_frame: int
    ) -> Frames:
        """Advance every segment by another number of steps than the settings'."""
        n_particles = self.info.n_particles
        if states.positions.shape[1:] != (n_particles, 3) or len(seeds) != len(states):
            raise ShapeMismatchError(
                f"Got states of shape {states.positions.shape} and {len(seeds)} seeds; "
                f"expected (n_segments, {n_particles}, 3) and one seed each. Use the "
                "states of this system."
            )
        n_segments, n_frames = len(states), n_steps // n_steps_per_frame
        shape = (n_segments, n_frames, len(self.recorded_atoms), 3)
        positions = np.full(shape, np.nan, dtype=np.float32)
        forces = np.full(shape, np.nan, dtype=np.float32)
        final = States(
            np.full((n_segments, n_particles, 3), np.nan),
            np.full((n_segments, n_particles, 3), np.nan),
            np.full((n_segments, 3, 3), np.nan) if self.info.periodic else None,
        )
        failed = np.zeros(n_segments, dtype=bool)
        for row in range(n_segments):
            try:
                self._set_state(states.take([row]), seeds[row])
                for frame in range(n_frames):
                    self._integrator.step(n_steps_per_frame)
                    self._record(positions[row, frame], forces[row, frame])
                self._read_final(final, row)
            except (self._failure, FloatingPointError) as error:
                logger.warning("segment with seed %d failed: %s", seeds[row], error)
                failed[row] = True
                positions[row] = forces[row] = np.nan
        return Frames(positions, forces, final, failed)

    def _set_temperature(self, system: Any) -> None:
        from openmm import unit

        for force in system.getForces():
            if hasattr(force, "setDefaultTemperature"):
                force.setDefaultTemperature(
                    self.config.temperature_kelvin * unit.kelvin
                )

    def _set_state(self, state: States, seed: int) -> None:
        """Start one segment; constraints are restored after float32 rounding."""
        if self.config.exact_replay:
            # Seeds are read, and neighbour lists forgotten, only when a Context
            # starts anew.
            number = openmm_seed(seed)
            self._integrator.setRandomNumberSeed(number)
            for force in self._context.getSystem().getForces():
                if hasattr(force, "setRandomNumberSeed"):
                    force.setRandomNumberSeed(number)
            self._context.reinitialize()
        if state.box is not None:
            self._context.setPeriodicBoxVectors(*(state.box[0] / ANGSTROM_PER_NM))
        self._context.setPositions(state.positions[0] / ANGSTROM_PER_NM)
        self._context.setVelocities(state.velocities[0] / ANGSTROM_PER_NM)
        self._context.applyConstraints(CONSTRAINT_TOLERANCE)
        self._context.applyVelocityConstraints(CONSTRAINT_TOLERANCE)

    def _record(self, positions: Array, forces: Array) -> None:
        """Fill one frame, (n_recorded, 3) each, in place."""
        from openmm import unit

        state = self._context.getState(positions=True, forces=True, energy=True)
        energy = KCAL_PER_KJ * state.getPotentialEnergy().value_in_unit(
            unit.kilojoule_per_mole
        )
        if not energy < self.config.max_energy_kcal_per_mol:
            raise FloatingPointError(f"potential energy {energy:g} kcal/mol")
        nanometers = state.getPositions(asNumpy=True).value_in_unit(unit.nanometer)
        positions[:] = nanometers[self.recorded_atoms] * ANGSTROM_PER_NM
        per_nm = state.getForces(asNumpy=True).value_in_unit(
            unit.kilojoule_per_mole / unit.nanometer
        )
        forces[:] = per_nm[self.recorded_atoms] * FORCE_OPENMM_TO_KCAL

    def _read_final(self, final: States, row: int) -> None:
        from openmm import unit

        state = self._context.getState(positions=True, velocities=True)
        found = state.getPositions(asNumpy=True).value_in_unit(unit.nanometer)
        speeds = state.getVelocities(asNumpy=True).value_in_unit(
            unit.nanometer / unit.picosecond
        )
        final.positions[row] = found * ANGSTROM_PER_NM
        final.velocities[row] = speeds * ANGSTROM_PER_NM
        if final.box is not None:
            vectors = state.getPeriodicBoxVectors(asNumpy=True)
            final.box[row] = vectors.value_in_unit(unit.nanometer) * ANGSTROM_PER_NM
