"""Packed dynamics on CPU cores: a force field as arrays, tiles of replicas, threads."""

import math
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final

import numpy as np
import torch
from torch import Tensor

from apps.science.arrays import Array, IntArray
from apps.science.cg.fast import dynamics_kernel
from apps.science.cg.fast.network_arrays import (
    can_tabulate,
    list_network,
    no_network,
)
from apps.science.cg.fast.network_kernel import make_workspace
from apps.science.cg.fast.prior_arrays import can_list, list_prior
from apps.science.propagators._packed import (
    MAX_SPEED,
    N_STEPS_PER_CHECK,
    LangevinSettings,
    Trajectories,
    find_heat,
)
from apps.science.units import ACCELERATION, thermal_energy

if TYPE_CHECKING:
    from apps.science.cg.force_field import ForceField

N_BEADS_PER_TILE: Final = 64
"""Replicas that pass a layer together, so that its weights come from the cache."""


class FastForceField:
    """A force field with tabulated filters, for CPU cores (see ``can_run``)."""

    def __init__(self, force_field: "ForceField") -> None:
        self.n_beads = force_field.n_beads
        self.masses_amu = force_field.masses_amu
        self.bonds = force_field.bonds
        self._prior = list_prior(force_field.prior)
        self._network = no_network()
        if force_field.network is not None:
            self._network = list_network(
                force_field.network, force_field.embeddings, force_field.sequence
            )
        self._bonds = np.array(self.bonds, dtype=np.int32).reshape(-1, 2)
        self._tile = max(1, N_BEADS_PER_TILE // self.n_beads)

    def compute(self, positions: Tensor) -> tuple[Tensor, Tensor]:
        """Return energies (R,) and forces (R, N, 3); see ``ForceField.compute``."""
        x = positions.detach().double().numpy()
        energy, forces = np.empty(len(x)), np.empty_like(x)

        def run(rows: slice) -> None:
            live = np.arange(rows.stop - rows.start)
            dynamics_kernel.compute_tile(
                x[rows], forces[rows], energy[rows], live, self._prior,
                self._network, make_workspace(self._network, len(live)),
            )  # fmt: skip

        self._for_each_tile(len(x), run)
        dtype = positions.dtype
        return torch.from_numpy(energy).to(dtype), torch.from_numpy(forces).to(dtype)

    def run(
        self,
        positions: Array,
        velocities: Array,
        seeds: IntArray,
        settings: LangevinSettings,
        temperatures_kelvin: Array | None = None,
    ) -> Trajectories:
        """Advance R replicas; as ``_packed.run_packed``, in double precision.

        Replica r depends on row r alone, to the last bit.

        Parameters
        ----------
        positions, velocities : (R, N, 3), Angstrom and Angstrom/ps
        seeds : (R,), int64
        temperatures_kelvin : (R,), in place of the one of the settings
        """
        x, v = (np.array(a, dtype=float, order="C") for a in (positions, velocities))
        n_frames = settings.n_steps // settings.n_steps_per_frame
        frames = np.full((len(x), n_frames, *x.shape[1:]), np.nan, np.float32)
        forces, failed = np.full_like(frames, np.nan), np.zeros(len(x), bool)
        keys = np.asarray(seeds, dtype=np.int64).view(np.uint64)
        steps = make_steps(settings, self.masses_amu)
        heat = find_heat(settings, temperatures_kelvin, len(x))

        def run(rows: slice) -> None:
            dynamics_kernel.run_tile(
                x[rows], v[rows], keys[rows], heat[rows], frames[rows],
                forces[rows], failed[rows], self._bonds, steps, self._prior,
                self._network, make_workspace(self._network, rows.stop - rows.start),
            )  # fmt: skip

        self._for_each_tile(len(x), run)
        return Trajectories(
            torch.from_numpy(frames), torch.from_numpy(forces),
            torch.from_numpy(x), torch.from_numpy(v), torch.from_numpy(failed),
        )  # fmt: skip

    def _for_each_tile(self, n: int, run: Callable[[slice], None]) -> None:
        starts = range(0, n, self._tile)
        tiles = [slice(start, min(start + self._tile, n)) for start in starts]
        n_threads = min(torch.get_num_threads(), len(tiles))
        if n_threads <= 1:
            for tile in tiles:
                run(tile)
            return
        with ThreadPoolExecutor(n_threads) as pool:
            list(pool.map(run, tiles))


def can_run(force_field: "ForceField") -> bool:
    """Return whether a force field has a compiled form."""
    known = force_field.network is None or can_tabulate(force_field.network)
    return known and can_list(force_field.prior)


def make_steps(
    settings: LangevinSettings, masses_amu: Sequence[float]
) -> dynamics_kernel.Steps:
    """Return the constants of a BAOAB step."""
    inverse_mass = ACCELERATION / np.array(masses_amu, dtype=float)
    decay = math.exp(-settings.friction_per_ps * settings.timestep_ps)
    kt = thermal_energy(settings.temperature_kelvin)
    return dynamics_kernel.Steps(
        half_kick=0.5 * settings.timestep_ps * inverse_mass,
        spread=np.sqrt((1.0 - decay**2) * kt * inverse_mass),
        half_drift=0.5 * settings.timestep_ps,
        decay=decay,
        n_steps=settings.n_steps,
        n_steps_per_frame=settings.n_steps_per_frame,
        n_steps_per_check=N_STEPS_PER_CHECK,
        max_bond=settings.max_bond_angstrom,
        max_speed=MAX_SPEED,
    )
