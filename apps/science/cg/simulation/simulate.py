"""Plain dynamics and parallel tempering of a trained model, outside a campaign."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from apps.science.arrays import Array, IntArray
from apps.science.cg.simulation.files import Form, SimulationFiles
from apps.science.cg.simulation.model_starts import (
    find_checkpoint,
    find_starts,
    warm_up,
)
from apps.science.errors import ConfigError
from apps.science.propagators.base import States
from apps.science.propagators.cg import Config, Inference, Propagator
from apps.science.seeds import derive_seed
from apps.science.units import FS_PER_PS

if TYPE_CHECKING:
    from apps.science.cg.force_field import ForceField
    from apps.science.propagators._packed import Trajectories

N_FRAMES_AT_ONCE = 50
"""Frames made before they are written."""


@dataclass(frozen=True)
class Settings:
    """What to run.

    Attributes
    ----------
    n_replicas : independent copies; with tempering, independent ladders
    temperature_kelvin : None takes the prior's, else 300
    ladder_kelvin : rising temperatures; none for plain dynamics
    n_steps_per_exchange : a whole number of frames
    """

    n_replicas: int
    n_steps: int
    n_steps_per_frame: int = 100
    temperature_kelvin: float | None = None
    ladder_kelvin: list[float] = field(default_factory=list)
    n_steps_per_exchange: int = 500
    timestep_fs: float = 4.0
    friction_per_ps: float = 1.0
    seed: int = 1
    device: str = "auto"
    inference: Inference = "auto"
    form: Form = "dcd"


@dataclass(frozen=True)
class Simulated:
    """What came of it.

    Attributes
    ----------
    n_failed : replicas that ran away; their trajectories end before
    exchanged : share of tries between neighbours, (n_temperatures - 1,)
    replica_steps_per_s : of the dynamics, without compiling and writing
    """

    files: list[Path]
    topology: Path
    n_frames: int
    n_failed: int
    exchanged: list[float]
    replica_steps_per_s: float


def load_model(
    model: Path,
    protein: str | None,
    device: str,
    prior: Path | None = None,
    psf: Path | None = None,
) -> "ForceField":
    """Return the force field of a checkpoint or of a folder that holds one.

    Parameters
    ----------
    prior, psf : of a checkpoint of torchmd-net, which holds neither prior nor beads

    Raises
    ------
    ConfigError
        If it is one and they are missing, or none and they are given.
    """
    from apps.science.cg.force_field import load_checkpoint
    from apps.science.cg.published.force_field import load_published
    from apps.science.cg.published.lightning_file import is_lightning

    checkpoint = find_checkpoint(model)
    if is_lightning(checkpoint):
        return load_published(checkpoint, prior, psf, device)
    if prior is not None or psf is not None:
        raise ConfigError(
            f"{checkpoint} is a checkpoint of weft, which holds its prior and beads: "
            "leave --prior and --psf out."
        )
    return load_checkpoint(checkpoint, protein, device)


def build_propagator(
    field: "ForceField", settings: Settings, n_steps: int
) -> Propagator:
    """Return what advances replicas of a model by ``n_steps``."""
    config = Config(
        mapping="", prior="", n_steps=n_steps,
        n_steps_per_frame=settings.n_steps_per_frame,
        temperature_kelvin=_temperature(field, settings),
        friction_per_ps=settings.friction_per_ps, timestep_fs=settings.timestep_fs,
        device=settings.device, inference=settings.inference,
    )  # fmt: skip
    return Propagator(config, field)


def simulate(
    model: Path,
    out: Path,
    settings: Settings,
    protein: str | None = None,
    structure: Path | None = None,
    say: Callable[[int, int], None] = lambda done, total: None,
    prior: Path | None = None,
    psf: Path | None = None,
) -> Simulated:
    """Run a model and write a trajectory per replica, topology.pdb and energies.csv.

    Parameters
    ----------
    say : is told the steps done, and all steps
    prior, psf : as ``load_model`` takes them

    Raises
    ------
    ConfigError
        If the numbers of steps are no whole multiples of each other.
    """
    from apps.science.device import choose_device
    from apps.science.segments.topology import make_beads, write_pdb

    _check(settings)
    force_field = load_model(model, protein, choose_device(settings.device), prior, psf)
    mapping = force_field.mapping
    found = find_starts(model, mapping, force_field.prior.tables, structure, protein)
    states = warm_up(
        found, mapping, _temperature(force_field, settings), settings.n_replicas,
        derive_seed(settings.seed, "simulate_starts"),
    )  # fmt: skip
    out.mkdir(parents=True, exist_ok=True)
    topology = write_pdb(out / "topology.pdb", make_beads(mapping), found[0])
    run = _temper if settings.ladder_kelvin else _run
    files, n_failed, exchanged, rate = run(force_field, states, out, settings, say)
    return Simulated(
        files.paths, topology, sum(files.n_frames), n_failed, exchanged, rate
    )


def _check(settings: Settings) -> None:
    for value, limit, what in (
        (settings.timestep_fs, 20.0, "--timestep-fs"),
        (settings.friction_per_ps, 1000.0, "--friction-per-ps"),
        (settings.temperature_kelvin, 1000.0, "--temperature"),
        *((kelvin, 1000.0, "--temperatures") for kelvin in settings.ladder_kelvin),
    ):
        if value is not None and not 0 < value <= limit:
            raise ConfigError(
                f"{what} {value:g} cannot be: give a number above 0, up to {limit:g}."
            )
    per_frame = settings.n_steps_per_frame
    if settings.n_steps % per_frame or settings.n_steps < per_frame:
        raise ConfigError(
            f"{settings.n_steps} steps are no whole number of frames of {per_frame} "
            "steps. Change either."
        )
    if settings.ladder_kelvin and (
        settings.n_steps_per_exchange % per_frame
        or settings.n_steps % settings.n_steps_per_exchange
    ):
        raise ConfigError(
            f"Exchanges every {settings.n_steps_per_exchange} steps have to be a whole "
            f"number of frames ({per_frame} steps), and {settings.n_steps} steps a "
            "whole number of exchanges. Change one of them."
        )


def _temperature(field: "ForceField", settings: Settings) -> float:
    if settings.ladder_kelvin:
        return settings.ladder_kelvin[0]
    return settings.temperature_kelvin or field.prior.tables.temperature_kelvin or 300.0


Outcome = tuple[SimulationFiles, int, list[float], float]


def _run(
    field: "ForceField", states: States, out: Path, settings: Settings,
    say: Callable[[int, int], None],
) -> Outcome:  # fmt: skip
    names = [f"replica_{k:03d}" for k in range(settings.n_replicas)]
    live = np.arange(settings.n_replicas)
    per_part = min(settings.n_steps, N_FRAMES_AT_ONCE * settings.n_steps_per_frame)
    propagators: dict[int, Propagator] = {}
    with SimulationFiles(out, names, settings.form) as files:
        done, spent, n_run = 0, 0.0, 0
        while done < settings.n_steps and len(live):
            n_steps = min(per_part, settings.n_steps - done)
            if n_steps not in propagators:
                propagators[n_steps] = build_propagator(field, settings, n_steps)
            seeds = [
                derive_seed(settings.seed, "simulate", done, r) for r in live.tolist()
            ]
            began = time.perf_counter()
            frames = propagators[n_steps].propagate(states, seeds)
            spent += time.perf_counter() - began
            n_run += n_steps * len(live)
            _write(files, propagators[n_steps], live, frames.positions, done, settings)
            whole = ~frames.failed
            live = live[whole]
            states = frames.final.take(np.flatnonzero(whole).tolist())
            done += n_steps
            say(done, settings.n_steps)
    return files, settings.n_replicas - len(live), [], n_run / spent


def _temper(
    field: "ForceField", states: States, out: Path, settings: Settings,
    say: Callable[[int, int], None],
) -> Outcome:  # fmt: skip
    from apps.science.cg.simulation.tempering import ParallelTempering

    per_round, ladder_kelvin = settings.n_steps_per_exchange, settings.ladder_kelvin
    propagator = build_propagator(field, settings, per_round)

    def advance(x: Array, v: Array, seeds: Array, heats: Array) -> "Trajectories":
        return propagator.advance(States(x, v), seeds.tolist(), heats)

    tempering = ParallelTempering(
        advance, lambda x: _energies(propagator, x), ladder_kelvin, settings.seed
    )
    ladder = tempering.begin(states.positions, states.velocities)
    names = [
        f"temperature_{kelvin:g}K_{k:03d}"
        for k in range(settings.n_replicas)
        for kelvin in ladder_kelvin
    ]
    spent, rows = 0.0, np.arange(len(names))
    with SimulationFiles(out, names, settings.form) as files:
        for number in range(settings.n_steps // per_round):
            began = time.perf_counter()
            seen = tempering.run_round(ladder, number)
            spent += time.perf_counter() - began
            done = number * per_round
            _write(files, propagator, rows, seen.positions.numpy(), done, settings)
            say(done + per_round, settings.n_steps)
    exchanged = ladder.n_exchanged / np.maximum(ladder.n_tried, 1)
    rate = settings.n_steps * len(names) / spent
    return files, 0, exchanged.tolist(), rate


def _write(
    files: SimulationFiles, propagator: Propagator, rows: IntArray, frames: Array,
    done: int, settings: Settings,
) -> None:  # fmt: skip
    """Append finite frames (n_rows, n_frames, n_beads, 3) to the files ``rows``."""
    step = settings.n_steps_per_frame
    for row, seen in zip(rows.tolist(), frames, strict=True):
        finite = seen[np.isfinite(seen).all(axis=(1, 2))]
        if len(finite):
            times = [
                (done + (k + 1) * step) * settings.timestep_fs / FS_PER_PS
                for k in range(len(finite))
            ]
            files.write(row, finite, times, _energies(propagator, finite))


def _energies(propagator: Propagator, positions: Array) -> Array:
    import torch

    x = torch.tensor(positions, dtype=torch.float32, device=propagator.device)
    energy: Array = propagator.force_field.compute(x)[0].double().cpu().numpy()
    return energy
