"""BAOAB Langevin dynamics of a tile of replicas, compiled, in double precision."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from apps.science.arrays import Array, IntArray
from apps.science.cg.fast.compiled import entry, kernel
from apps.science.cg.fast.network_arrays import NetworkArrays
from apps.science.cg.fast.network_kernel import Workspace, add_network
from apps.science.cg.fast.noise_kernel import fill_normals, hash_counter
from apps.science.cg.fast.prior_arrays import PriorArrays
from apps.science.cg.fast.prior_kernel import add_prior

Flags = NDArray[np.bool_]


class Steps(NamedTuple):
    """How replicas are integrated.

    Attributes
    ----------
    half_kick : (N,), half a time step over the mass, Angstrom/ps per kcal/mol/Angstrom
    spread : (N,), of a velocity's noise, Angstrom/ps
    half_drift : half a time step, ps
    decay : what friction leaves of a velocity in a step
    """

    half_kick: Array
    spread: Array
    half_drift: float
    decay: float
    n_steps: int
    n_steps_per_frame: int
    n_steps_per_check: int
    max_bond: float
    max_speed: float


@entry
def compute_tile(
    x: Array, f: Array, energy: Array, live: IntArray, prior: PriorArrays,
    network: NetworkArrays, work: Workspace,
) -> None:  # fmt: skip
    """Write the energies (T,) and forces (T, N, 3) of the replicas ``live``."""
    _compute(x, f, energy, live, prior, network, work)


@kernel
def _compute(
    x: Array, f: Array, energy: Array, live: IntArray, prior: PriorArrays,
    network: NetworkArrays, work: Workspace,
) -> None:  # fmt: skip
    for s in live:
        f[s] = 0.0
        energy[s] = add_prior(x[s], f[s], prior)
    if len(network.tables):
        add_network(x, f, energy, live, network, work)


@entry
def run_tile(
    x: Array, v: Array, seeds: IntArray, heat: Array, frames: Array,
    frame_forces: Array,
    failed: Flags, bonds: IntArray, steps: Steps, prior: PriorArrays,
    network: NetworkArrays, work: Workspace,
) -> None:  # fmt: skip
    """Advance a tile in place; a replica that runs away is left where it began.

    Parameters
    ----------
    x, v : (T, N, 3), Angstrom and Angstrom/ps, float64
    seeds : (T,), uint64
    heat : (T,), by how much each replica's noise is stronger, sqrt(T / T_0)
    frames, frame_forces : (T, n_frames, N, 3), float32, full of NaN
    failed : (T,), bool
    bonds : (n_bonds, 2), that must not tear
    """
    begin_x, begin_v = x.copy(), v.copy()
    f, energy = np.empty_like(x), np.empty(len(x))
    noise, keys = np.empty(x[0].size), np.empty(len(x), np.uint64)
    for s in range(len(x)):
        keys[s] = hash_counter(seeds[s])
    live, n_live = np.arange(len(x)), len(x)
    _compute(x, f, energy, live, prior, network, work)
    for done in range(1, steps.n_steps + 1):
        for s in live[:n_live]:
            fill_normals(noise, keys[s], done - 1)
            noise *= heat[s]
            _move(x[s], v[s], f[s], noise, steps)
        _compute(x, f, energy, live[:n_live], prior, network, work)
        for s in live[:n_live]:
            _kick(v[s], f[s], steps.half_kick)
        at_frame = done % steps.n_steps_per_frame == 0
        if at_frame or done % steps.n_steps_per_check == 0 or done == steps.n_steps:
            n_live = _keep_whole(live, n_live, x, v, f, bonds, steps)
        if at_frame:
            row = done // steps.n_steps_per_frame - 1
            for s in live[:n_live]:
                frames[s, row] = x[s]
                frame_forces[s, row] = f[s]
    failed[:] = True
    for s in live[:n_live]:
        failed[s] = False
    _put_back(x, v, begin_x, begin_v, failed)


@kernel
def _put_back(
    x: Array, v: Array, begin_x: Array, begin_v: Array, failed: Flags
) -> None:
    for s in range(len(x)):
        if failed[s]:
            x[s], v[s] = begin_x[s], begin_v[s]


@kernel
def _move(x: Array, v: Array, f: Array, noise: Array, steps: Steps) -> None:
    """Half kick, half drift, friction and noise, half drift."""
    for i in range(len(x)):
        kick, spread = steps.half_kick[i], steps.spread[i]
        for d in range(3):
            speed = v[i, d] + kick * f[i, d]
            place = x[i, d] + steps.half_drift * speed
            speed = steps.decay * speed + spread * noise[3 * i + d]
            v[i, d] = speed
            x[i, d] = place + steps.half_drift * speed


@kernel
def _kick(v: Array, f: Array, half_kick: Array) -> None:
    for i in range(len(v)):
        for d in range(3):
            v[i, d] += half_kick[i] * f[i, d]


@kernel
def _keep_whole(
    live: IntArray, n_live: int, x: Array, v: Array, f: Array, bonds: IntArray,
    steps: Steps,
) -> int:  # fmt: skip
    """Move the whole replicas to the front of ``live``; return how many there are."""
    kept = 0
    for q in range(n_live):
        s = live[q]
        if _is_whole(x[s], v[s], f[s], bonds, steps):
            live[kept] = s
            kept += 1
    return kept


@kernel
def _is_whole(x: Array, v: Array, f: Array, bonds: IntArray, steps: Steps) -> bool:
    # a comparison with NaN is false, so these also refuse what is not a number
    for i in range(len(x)):
        for d in range(3):
            if not abs(v[i, d]) < steps.max_speed:
                return False
            if not (abs(x[i, d]) < np.inf and abs(f[i, d]) < np.inf):
                return False
    for b in range(len(bonds)):
        i, j = bonds[b, 0], bonds[b, 1]
        squared = 0.0
        for d in range(3):
            squared += (x[i, d] - x[j, d]) ** 2
        if not squared < steps.max_bond**2:
            return False
    return True
