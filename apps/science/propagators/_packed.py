"""Langevin dynamics of many replicas at once: BAOAB, in torch, noise by counter.

BAOAB (Leimkuhler and Matthews, 2013) is a half kick, half drift, the exact
Ornstein-Uhlenbeck step, half drift, half kick; one force evaluation a step. Its
configurational averages are right to second order in the time step and exact for
harmonic forces in the limit of high friction.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from apps.science.arrays import Array
from apps.science.propagators._step import Constants, Pack, advance, record
from apps.science.units import ACCELERATION, thermal_energy

N_STEPS_PER_CHECK = 10
"""Steps between looks for runaway replicas; each look is one GPU synchronisation."""

MAX_SPEED = 1.0e3
"""Angstrom/ps; a bead of 12 amu at 300 K moves at 5, so beyond this is no physics."""

_NOISE_VALUES_PER_DRAW = {"cpu": 1 << 15, "cuda": 1 << 22}
"""Values drawn at once: what stays in the cache, or what fills a GPU."""

_GOLDEN = -7046029254386353131  # 0x9E3779B97F4A7C15 as a signed 64-bit number
_MIX_1 = -4658895280553007687  # 0xBF58476D1CE4E5B9
_MIX_2 = -7723592293110705685  # 0x94D049BB133111EB


class ComputesForces(Protocol):
    """What dynamics needs of a force field."""

    n_beads: int
    masses_amu: Sequence[float]
    bonds: Sequence[tuple[int, int]]

    def compute(self, positions: Tensor) -> tuple[Tensor, Tensor]:
        """Return energies (R,) and forces (R, n_beads, 3) for (R, n_beads, 3)."""
        ...


@dataclass(frozen=True)
class LangevinSettings:
    """How replicas are integrated and when one counts as lost."""

    temperature_kelvin: float
    friction_per_ps: float
    timestep_ps: float
    n_steps: int
    n_steps_per_frame: int
    max_bond_angstrom: float


@dataclass
class Trajectories:
    """What a packed run recorded, on the CPU.

    Attributes
    ----------
    positions, forces : (R, n_frames, n_beads, 3), float32; NaN after a failure
    final_positions, final_velocities : (R, n_beads, 3), float64
    failed : (R,) bool
    """

    positions: Tensor
    forces: Tensor
    final_positions: Tensor
    final_velocities: Tensor
    failed: Tensor


def run_packed(
    force_field: ComputesForces,
    positions: Tensor,
    velocities: Tensor,
    seeds: Tensor,
    settings: LangevinSettings,
    temperatures_kelvin: Array | None = None,
) -> Trajectories:
    """Advance R replicas together by ``settings.n_steps``.

    A replica whose coordinates stop being finite, whose speed passes ``MAX_SPEED``
    or which stretches a bond beyond its bound is taken out of the pack; the others
    go on. Replica r depends on row r of the arguments alone (to rounding).

    Parameters
    ----------
    positions : (R, n_beads, 3), Angstrom, on the device that computes
    velocities : (R, n_beads, 3), Angstrom/ps
    seeds : (R,), int64
    temperatures_kelvin : (R,), in place of the one of the settings
    """
    n_replicas, n_beads, _ = positions.shape
    device = positions.device
    n_frames = settings.n_steps // settings.n_steps_per_frame
    shape = (n_replicas, n_frames, n_beads, 3)
    frames = torch.full(shape, torch.nan, dtype=torch.float32, device=device)
    frame_forces = torch.full_like(frames, torch.nan)
    final_x, final_v = positions.clone(), velocities.clone()

    constants = _make_constants(force_field, settings, positions)
    bonds = torch.tensor(list(force_field.bonds), dtype=torch.long, device=device)
    live = torch.arange(n_replicas, device=device)
    force = force_field.compute(positions)[1]
    pack = Pack(
        positions.clone(), velocities.clone(), force.clone(), hash_counter(seeds),
        torch.as_tensor(find_heat(settings, temperatures_kelvin, n_replicas)).to(
            positions
        ),
        torch.zeros((), dtype=torch.int64, device=device),
    )  # fmt: skip
    stepper = _make_stepper(force_field, pack, constants, settings.n_steps)
    for done in range(1, settings.n_steps + 1):
        stepper()
        at_frame = done % settings.n_steps_per_frame == 0
        if at_frame or done % N_STEPS_PER_CHECK == 0 or done == settings.n_steps:
            whole = find_whole(
                pack.x, pack.v, pack.force, bonds, settings.max_bond_angstrom
            )
            if not bool(whole.all()):
                live, pack = live[whole], pack.take(whole)
                if not len(live):
                    break
                stepper = _make_stepper(force_field, pack, constants, settings.n_steps)
        if at_frame:
            row = done // settings.n_steps_per_frame - 1
            frames[live, row] = pack.x.to(torch.float32)
            frame_forces[live, row] = pack.force.to(torch.float32)
    failed = torch.ones(n_replicas, dtype=torch.bool)
    failed[live.cpu()] = False
    final_x[live], final_v[live] = pack.x, pack.v
    return Trajectories(
        frames.cpu(), frame_forces.cpu(),
        final_x.double().cpu(), final_v.double().cpu(), failed,
    )  # fmt: skip


def find_heat(
    settings: LangevinSettings, temperatures_kelvin: Array | None, n_replicas: int
) -> Array:
    """Return (R,), by how much each replica's noise is stronger, sqrt(T / T_0)."""
    if temperatures_kelvin is None:
        return np.ones(n_replicas)
    heat: Array = np.sqrt(
        np.asarray(temperatures_kelvin, dtype=float) / settings.temperature_kelvin
    )
    return heat


def _make_constants(
    force_field: ComputesForces, settings: LangevinSettings, like: Tensor
) -> Constants:
    masses = torch.tensor(force_field.masses_amu, dtype=like.dtype, device=like.device)
    inverse_mass = (ACCELERATION / masses)[None, :, None]
    decay = math.exp(-settings.friction_per_ps * settings.timestep_ps)
    kt = thermal_energy(settings.temperature_kelvin)
    return Constants(
        half_kick=0.5 * settings.timestep_ps * inverse_mass,
        spread=torch.sqrt((1.0 - decay**2) * kt * inverse_mass),
        half_drift=0.5 * settings.timestep_ps,
        decay=decay,
    )


def _make_stepper(
    force_field: ComputesForces, pack: Pack, constants: Constants, n_steps: int
) -> Callable[[], None]:
    """Return what advances ``pack`` by one step: a CUDA graph where one can be."""
    n_replicas, n_beads, _ = pack.x.shape

    def forces(x: Tensor) -> Tensor:
        return force_field.compute(x)[1]

    def draw(first: Tensor | int, n: int) -> Tensor:
        normals = counter_normals(pack.keys, first, n, n_beads)
        spread = constants.spread * pack.heat[:, None, None]
        return spread * normals.to(pack.x.dtype)

    if pack.x.is_cuda and getattr(force_field, "graph_safe", False):
        return record(pack, lambda p: advance(p, forces, constants, draw(p.step, 1)[0]))
    n_values = _NOISE_VALUES_PER_DRAW.get(pack.x.device.type, 1 << 15)
    n_draw = max(1, n_values // (n_replicas * n_beads * 3))

    def eager() -> Iterator[None]:
        for first in range(int(pack.step), n_steps, n_draw):
            for noise in draw(first, min(n_draw, n_steps - first)):
                advance(pack, forces, constants, noise)
                yield

    steps = eager()
    return lambda: next(steps)


def find_whole(
    x: Tensor, v: Tensor, force: Tensor, bonds: Tensor, max_bond_angstrom: float
) -> Tensor:
    """Return (R,) bool: replicas that are finite, slow enough and not torn apart."""
    # a comparison with NaN is false, so these also refuse what is not a number
    whole = (v.abs() < MAX_SPEED).flatten(1).all(1)
    whole &= torch.isfinite(x).flatten(1).all(1)
    whole &= torch.isfinite(force).flatten(1).all(1)
    if len(bonds):
        lengths = (x[:, bonds[:, 0]] - x[:, bonds[:, 1]]).norm(dim=-1)
        whole &= (lengths < max_bond_angstrom).all(1)
    return whole


def hash_counter(counter: Tensor) -> Tensor:
    """Return 64 mixed bits for each int64 (the finaliser of splitmix64)."""
    z = counter * _GOLDEN
    z = (z ^ ((z >> 30) & 0x3FFFFFFFF)).mul_(_MIX_1)
    z = (z ^ ((z >> 27) & 0x1FFFFFFFFF)).mul_(_MIX_2)
    return z.bitwise_xor_((z >> 31) & 0x1FFFFFFFF)


def counter_normals(
    keys: Tensor, first_step: Tensor | int, n_steps: int, n_beads: int
) -> Tensor:
    """Return standard normals (n_steps, R, n_beads, 3), float32.

    A value is a function of its replica's key, its step, bead and axis, and of
    nothing else: no state is kept and neighbours in the pack play no part. Two come
    from each 64-bit hash by Box and Muller.

    Parameters
    ----------
    keys : (R,), int64, from ``hash_counter(seeds)``
    """
    n_pairs = (n_beads * 3 + 1) // 2
    counter = torch.arange(n_steps * n_pairs, device=keys.device)
    counter = counter + first_step * n_pairs
    bits = hash_counter(keys[:, None] + counter + 1).view(len(keys), n_steps, n_pairs)
    scale = 2.0**-32
    first = (((bits >> 32) & 0xFFFFFFFF).double() + 0.5) * scale
    second = (bits & 0xFFFFFFFF).double() * (2 * torch.pi * scale)
    radius = first.float().log_().mul_(-2.0).sqrt_()
    angle = second.float()
    pairs = torch.cat([radius * torch.cos(angle), radius * torch.sin(angle)], dim=-1)
    values = pairs[..., : n_beads * 3].reshape(len(keys), n_steps, n_beads, 3)
    return values.transpose(0, 1)
