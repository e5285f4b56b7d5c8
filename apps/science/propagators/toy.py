"""Langevin dynamics of one particle on an analytic potential, with known answers."""

from collections.abc import Sequence
from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from apps.science.arrays import Array
from apps.science.errors import ShapeMismatchError
from apps.science.propagators._potentials import POTENTIALS, Potential
from apps.science.propagators.base import Frames, PropagatorConfig, States
from apps.science.units import ACCELERATION, FS_PER_PS, thermal_energy, thermal_speed

_STEPS_PER_DRAW = 256


class Config(PropagatorConfig):
    """Settings of toy dynamics. The potential acts on x (double_well) or x and y."""

    blocks_per_worker: ClassVar[int] = 1
    moves: ClassVar[Literal["atoms", "beads", "points"]] = "points"
    kind: Literal["toy"] = "toy"
    potential: Literal[
        "double_well",
        "coupled_well",
        "tilted_wells",
        "mueller_brown",
        "egg_crate",
        "odld",
        "none",
    ] = Field(
        "double_well",
        description="Potential; none returns every state as it was, at no cost.",
    )
    barrier_kt: float = Field(5.0, gt=0, description="Barrier height, kT.")
    dynamics: Literal["overdamped", "underdamped"] = Field(
        "overdamped", description="Brownian (Euler-Maruyama) or Langevin (BAOAB)."
    )
    timestep_fs: float = Field(2.0, gt=0, description="Integration time step.")
    temperature_kelvin: float = Field(300.0, gt=0, description="Temperature.")
    diffusion_angstrom2_per_ps: float = Field(
        1.0, gt=0, description="Diffusion constant of overdamped dynamics."
    )
    mass_amu: float = Field(12.0, gt=0, description="Mass of underdamped dynamics.")
    friction_per_ps: float = Field(
        1.0, gt=0, description="Friction of underdamped dynamics."
    )
    n_particles: int = Field(
        1, gt=0, description="Particles per state; all but the first stand still."
    )

    @property
    def is_random(self) -> bool:
        """All but the potential none, which moves nothing."""
        return self.potential != "none"


class Propagator:
    """Advances all segments of a block at once (see ``base.Propagator``)."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self._potential: Potential | None = None
        if config.potential != "none":
            self._potential = POTENTIALS[config.potential](config.barrier_kt)

    def recorded(self, states: States) -> Array:
        """Return every particle's position, (n_segments, n_particles, 3), Angstrom."""
        return states.positions

    def propagate(self, states: States, seeds: Sequence[int]) -> Frames:
        """Advance every segment by ``n_steps``; a failed one is all NaN."""
        shape = (len(seeds), self.config.n_particles, 3)
        if states.positions.shape != shape:
            raise ShapeMismatchError(
                f"Got states of shape {states.positions.shape}; expected {shape}: one "
                "row per seed."
            )
        n_frames = self.config.n_frames
        if self._potential is None:
            still = np.repeat(states.positions[:, None], n_frames, 1).astype(np.float32)
            rows = states.positions.reshape(len(seeds), -1)
            failed = np.logical_not(np.isfinite(rows).all(axis=1))
            return Frames(still, np.zeros_like(still), states, np.asarray(failed))
        return self._run(self._potential, states, seeds)

    def _run(
        self, potential: Potential, states: States, seeds: Sequence[int]
    ) -> Frames:
        config, n_dim = self.config, potential.n_dim
        kt = thermal_energy(config.temperature_kelvin)
        x = states.positions[:, 0, :n_dim].astype(float)
        v = states.velocities[:, 0, :n_dim].astype(float)
        streams = [np.random.Generator(np.random.Philox(key=seed)) for seed in seeds]
        shape = (len(seeds), config.n_frames, config.n_particles, 3)
        positions = np.repeat(states.positions[:, None], config.n_frames, axis=1)
        positions = positions.astype(np.float32)
        forces = np.zeros(shape, dtype=np.float32)
        noise: Array = np.empty((len(seeds), 0, n_dim))
        # A walker that runs away overflows; it is reported by its failed flag.
        with np.errstate(over="ignore", invalid="ignore"):
            for step in range(config.n_steps):
                if step % _STEPS_PER_DRAW == 0:
                    noise = self._draw(streams, step, n_dim)
                x, v = self._step(potential, x, v, noise[:, step % _STEPS_PER_DRAW])
                if (step + 1) % config.n_steps_per_frame == 0:
                    frame = (step + 1) // config.n_steps_per_frame - 1
                    positions[:, frame, 0, :n_dim] = x
                    forces[:, frame, 0, :n_dim] = kt * potential.force(x)
        failed = ~(np.isfinite(x).all(axis=1) & np.isfinite(v).all(axis=1))
        positions[failed] = forces[failed] = np.nan
        final = States(
            states.positions.astype(float), states.velocities.astype(float), states.box
        )
        final.positions[:, 0, :n_dim] = x
        final.velocities[:, 0, :n_dim] = v
        final.positions[failed] = final.velocities[failed] = np.nan
        return Frames(positions, forces, final, failed)

    def _draw(self, streams: list[np.random.Generator], step: int, n_dim: int) -> Array:
        """Return the noise of the next steps, (n_segments, n_steps, n_dim).

        Each segment draws from its own stream, so a block's make-up does not matter.
        """
        n_steps = min(_STEPS_PER_DRAW, self.config.n_steps - step)
        return np.stack([s.standard_normal((n_steps, n_dim)) for s in streams])

    def _step(
        self, potential: Potential, x: Array, v: Array, noise: Array
    ) -> tuple[Array, Array]:
        config = self.config
        dt = config.timestep_fs / FS_PER_PS
        if config.dynamics == "overdamped":
            spread = config.diffusion_angstrom2_per_ps * dt
            return x + spread * potential.force(x) + np.sqrt(2 * spread) * noise, v
        to_acceleration = (
            thermal_energy(config.temperature_kelvin) * ACCELERATION / config.mass_amu
        )
        speed = thermal_speed(config.temperature_kelvin, config.mass_amu)
        kept = np.exp(-config.friction_per_ps * dt)
        v = v + 0.5 * dt * to_acceleration * potential.force(x)
        x = x + 0.5 * dt * v
        v = kept * v + np.sqrt(1.0 - kept * kept) * speed * noise
        x = x + 0.5 * dt * v
        return x, v + 0.5 * dt * to_acceleration * potential.force(x)
