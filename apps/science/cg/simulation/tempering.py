"""Parallel tempering: copies at rising temperatures that exchange configurations.

Neighbours exchange with probability min(1, exp((b_i - b_j) (U_i - U_j))), b = 1/kT,
which leaves the Boltzmann law of every temperature as it is (Swendsen and Wang, 1986;
with velocities scaled by the root of the temperatures, Sugita and Okamoto, 1999).
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from apps.science.arrays import Array
from apps.science.errors import ConfigError, NumericalError
from apps.science.propagators._packed import Trajectories
from apps.science.seeds import derive_seed
from apps.science.units import thermal_energy

Advance = Callable[[Array, Array, Array, Array], Trajectories]
"""Of positions, velocities (R, N, 3), seeds (R,) and temperatures (R,)."""


@dataclass
class Ladder:
    """Independent ladders of replicas; row (m, k) is at temperature k.

    Attributes
    ----------
    positions, velocities : (n_ladders, n_temperatures, N, 3)
    walker : (n_ladders, n_temperatures), which copy is there: to see them wander
    n_tried, n_exchanged : (n_temperatures - 1,)
    """

    positions: Array
    velocities: Array
    walker: np.ndarray
    n_tried: np.ndarray
    n_exchanged: np.ndarray


class ParallelTempering:
    """Runs ladders round by round.

    Parameters
    ----------
    advance : runs every replica for one round at its own temperature
    energies : potential energies (R,), kcal/mol, of positions (R, N, 3)
    temperatures_kelvin : rising, two at least

    Raises
    ------
    ConfigError
        If the temperatures do not rise.
    """

    def __init__(
        self,
        advance: Advance,
        energies: Callable[[Array], Array],
        temperatures_kelvin: list[float],
        seed: int,
    ) -> None:
        self.temperatures = np.array(temperatures_kelvin, dtype=float)
        if len(self.temperatures) < 2 or (np.diff(self.temperatures) <= 0).any():
            raise ConfigError(
                f"Temperatures {temperatures_kelvin} are no ladder. Give two or more "
                "that rise, such as 300,330,363."
            )
        self._advance, self._energies, self._seed = advance, energies, seed
        self._beta = 1.0 / np.array([thermal_energy(t) for t in self.temperatures])

    def begin(self, positions: Array, velocities: Array) -> Ladder:
        """Return ladders whose rungs all start from (n_ladders, N, 3)."""
        n = len(self.temperatures)
        scale = np.sqrt(self.temperatures / self.temperatures[0])[:, None, None]
        return Ladder(
            np.repeat(positions[:, None], n, axis=1),
            np.repeat(velocities[:, None], n, axis=1) * scale,
            np.tile(np.arange(n), (len(positions), 1)),
            np.zeros(n - 1, int),
            np.zeros(n - 1, int),
        )

    def run_round(self, ladder: Ladder, number: int) -> Trajectories:
        """Advance every replica, then let neighbours exchange; return what was seen.

        Raises
        ------
        NumericalError
            If a replica runs away: without it, its ladder is no ladder.
        """
        shape = ladder.positions.shape
        n_ladders, n = shape[:2]
        seeds = np.array([
            derive_seed(self._seed, "tempering", number, slot)
            for slot in range(n_ladders * n)
        ])  # fmt: skip
        heats = np.tile(self.temperatures, n_ladders)
        seen = self._advance(
            ladder.positions.reshape(-1, *shape[2:]),
            ladder.velocities.reshape(-1, *shape[2:]), seeds, heats,
        )  # fmt: skip
        if bool(seen.failed.any()):
            hot = heats[np.flatnonzero(seen.failed.numpy())[0]]
            raise NumericalError(
                f"A replica at {hot:g} K ran away in round {number} of parallel "
                "tempering. Use a smaller time step or a lower highest temperature."
            )
        ladder.positions = seen.final_positions.numpy().reshape(shape).copy()
        ladder.velocities = seen.final_velocities.numpy().reshape(shape).copy()
        self._exchange(ladder, number)
        return seen

    def _exchange(self, ladder: Ladder, number: int) -> None:
        n_ladders, n = ladder.positions.shape[:2]
        flat = ladder.positions.reshape(-1, *ladder.positions.shape[2:])
        energy = self._energies(flat).reshape(n_ladders, n)
        rng = np.random.default_rng(derive_seed(self._seed, "exchange", number))
        chance = rng.random((n_ladders, n - 1))
        for low in range(number % 2, n - 1, 2):
            high = low + 1
            gain = (self._beta[low] - self._beta[high]) * (
                energy[:, low] - energy[:, high]
            )
            rows = np.flatnonzero(np.log(chance[:, low]) < gain)
            for values in (ladder.positions, ladder.velocities, ladder.walker):
                values[rows, low], values[rows, high] = (
                    values[rows, high].copy(),
                    values[rows, low].copy(),
                )
            ratio = np.sqrt(self.temperatures[high] / self.temperatures[low])
            ladder.velocities[rows, low] /= ratio
            ladder.velocities[rows, high] *= ratio
            ladder.n_tried[low] += n_ladders
            ladder.n_exchanged[low] += len(rows)
