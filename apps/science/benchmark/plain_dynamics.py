"""Plain dynamics of a force field from a reference's frames: how it is run."""

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from apps.science.arrays import Array
from apps.science.benchmark.reference_set import ReferenceSet
from apps.science.errors import ConfigError
from apps.science.seeds import derive_seed
from apps.science.segments.frames import WeightedFrames, read_frames
from apps.science.units import FS_PER_PS, count_whole, thermal_speed

if TYPE_CHECKING:
    from apps.science.propagators._packed import ComputesForces

log = logging.getLogger(__name__)

ROOM_TEMPERATURE_KELVIN = 300.0
_LONGEST_PS, _LONGEST_STEP_FS = 1e9, 20.0


@dataclass(frozen=True)
class RunSettings:
    """How a model is simulated to be judged.

    Attributes
    ----------
    n_ps : length of each replica, burn-in included
    n_replicas : from as many reference frames, drawn by weight
    frame_interval_ps : time between frames
    temperature_kelvin : None: the reference's, else 300
    """

    n_ps: float = 200.0
    n_replicas: int = 32
    frame_interval_ps: float = 1.0
    timestep_fs: float = 4.0
    friction_per_ps: float = 1.0
    temperature_kelvin: float | None = None
    device: str = "auto"
    seed: int = 0

    def __post_init__(self) -> None:
        for value, limit, what in (
            (self.n_ps, _LONGEST_PS, "length, ps,"),
            (self.frame_interval_ps, _LONGEST_PS, "frame interval, ps,"),
            (self.timestep_fs, _LONGEST_STEP_FS, "time step, fs,"),
            (self.friction_per_ps, 1000.0, "friction, 1/ps,"),
            (self.temperature_kelvin or 300.0, 1000.0, "temperature, K,"),
        ):
            if not 0 < value <= limit:
                raise ConfigError(
                    f"A {what} of {value:g} cannot be: give one above 0, up to "
                    f"{limit:g}."
                )
        if self.temperature_kelvin == 0:
            raise ConfigError("A temperature of 0 K cannot be: give one above 0.")
        step_ps = self.timestep_fs / FS_PER_PS
        for length, unit, what in (
            (self.frame_interval_ps, step_ps, "time steps"),
            (self.n_ps, self.frame_interval_ps, "frame intervals"),
        ):
            if count_whole(length, unit) is None:
                raise ConfigError(
                    f"{length:g} ps is no whole number of {what} of {unit:g} ps. "
                    "Choose a multiple."
                )


def simulate(
    force_field: "ComputesForces", reference: ReferenceSet, settings: RunSettings
) -> WeightedFrames:
    """Return packed replicas of plain dynamics, begun at reference frames.

    The frames of a replica that ran away are NaN from then on: they are the result.
    """
    from apps.science.propagators.base import States
    from apps.science.propagators.cg import Config, Propagator

    kelvin = (
        settings.temperature_kelvin
        or reference.temperature_kelvin
        or ROOM_TEMPERATURE_KELVIN
    )
    step_ps = settings.timestep_fs / FS_PER_PS
    per_frame = count_whole(settings.frame_interval_ps, step_ps) or 1
    n_frames = count_whole(settings.n_ps, settings.frame_interval_ps) or 1
    config = Config(
        mapping=str(reference.mapping), prior="", temperature_kelvin=kelvin,
        friction_per_ps=settings.friction_per_ps, timestep_fs=settings.timestep_fs,
        n_steps=n_frames * per_frame, n_steps_per_frame=per_frame,
        device=settings.device,
    )  # fmt: skip
    starts = draw_starts(read_frames(reference.frames), settings)
    rng = np.random.default_rng(derive_seed(settings.seed, "velocities"))
    speed = np.array([thermal_speed(kelvin, m) for m in force_field.masses_amu])
    velocities = rng.normal(size=starts.shape) * speed[:, None]
    seeds = [derive_seed(settings.seed, "replica", k) for k in range(len(starts))]
    found = Propagator(config, force_field).propagate(States(starts, velocities), seeds)
    log.info(
        "simulated %d replicas for %g ps; %d ran away",
        len(starts), settings.n_ps, int(found.failed.sum()),
    )  # fmt: skip
    time = settings.frame_interval_ps * np.arange(1, n_frames + 1)
    replica = np.repeat(np.arange(len(starts)), n_frames)
    return WeightedFrames(
        positions=found.positions.reshape(-1, *found.positions.shape[2:]),
        weight=np.ones(len(replica)),
        lineage=replica,
        trajectory=replica,
        time_ps=np.tile(time, len(starts)),
    )


def draw_starts(frames: WeightedFrames, settings: RunSettings) -> Array:
    """Return reference frames drawn by weight, (n_replicas, n_beads, 3), Angstrom."""
    rng = np.random.default_rng(derive_seed(settings.seed, "starts"))
    share = frames.weight / frames.weight.sum()
    n = settings.n_replicas
    again = bool(n > np.count_nonzero(share))
    rows = rng.choice(len(frames), n, replace=again, p=share)
    return np.asarray(frames.positions[np.sort(rows)], dtype=float)
