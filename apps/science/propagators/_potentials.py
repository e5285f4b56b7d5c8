"""Analytic potentials in one and two dimensions, energies in units of kT."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from apps.science.arrays import Array

Energy = Callable[[Array], Array]


@dataclass(frozen=True)
class Potential:
    """A potential U(x)/kT of the first ``n_dim`` coordinates of a particle.

    Attributes
    ----------
    energy : (..., n_dim) Angstrom to (...) kT
    force : (..., n_dim) Angstrom to (..., n_dim) kT/Angstrom
    bounds : (lowest, highest) per dimension, Angstrom; beyond them U is steep
    """

    n_dim: int
    energy: Energy
    force: Energy
    bounds: tuple[tuple[float, float], ...]


def double_well(barrier_kt: float) -> Potential:
    """U = b (x^2 - 1)^2: minima at -1 and 1, barrier ``b`` at 0."""

    def energy(x: Array) -> Array:
        found: Array = barrier_kt * np.square(np.square(x[..., 0]) - 1.0)
        return found

    def force(x: Array) -> Array:
        found: Array = -4.0 * barrier_kt * x * (x * x - 1.0)
        return found

    return Potential(1, energy, force, ((-2.5, 2.5),))


_COUPLING_KT = 10.0


def coupled_well(barrier_kt: float) -> Potential:
    """U = b (x^2 - 1)^2 + 5 (y - x)^2: the way from (-1, -1) to (1, 1) is diagonal.

    Its density over x alone is the double well's.
    """
    along_x = double_well(barrier_kt)

    def energy(x: Array) -> Array:
        away = x[..., 1] - x[..., 0]
        found: Array = along_x.energy(x) + 0.5 * _COUPLING_KT * away * away
        return found

    def force(x: Array) -> Array:
        pull = _COUPLING_KT * (x[..., 1] - x[..., 0])
        return np.stack([along_x.force(x[..., 0]) + pull, -pull], axis=-1)

    return Potential(2, energy, force, ((-2.5, 2.5), (-2.5, 2.5)))


def tilted_wells(barrier_kt: float) -> Potential:
    """U = b ((x^2 - 1)^2 + 5/3 (y^2 - 1)^2 + 8/15 y - xy): y is slow and drives x.

    Four basins of unlike weight; at 1.5 kT the probability of x > 0 is 0.2226.
    """

    def energy(x: Array) -> Array:
        a, c = x[..., 0], x[..., 1]
        wells = np.square(a * a - 1.0) + 5.0 / 3.0 * np.square(c * c - 1.0)
        found: Array = barrier_kt * (wells + 8.0 / 15.0 * c - a * c)
        return found

    def force(x: Array) -> Array:
        a, c = x[..., 0], x[..., 1]
        along_x = -4.0 * a * (a * a - 1.0) + c
        along_y = -20.0 / 3.0 * c * (c * c - 1.0) - 8.0 / 15.0 + a
        found: Array = barrier_kt * np.stack([along_x, along_y], axis=-1)
        return found

    return Potential(2, energy, force, ((-2.5, 2.5), (-2.5, 2.5)))


_MB_HEIGHT = np.array([-200.0, -100.0, -170.0, 15.0])
_MB_XX = np.array([-1.0, -1.0, -6.5, 0.7])
_MB_XY = np.array([0.0, 0.0, 11.0, 0.6])
_MB_YY = np.array([-10.0, -10.0, -6.5, 0.7])
_MB_X0 = np.array([1.0, 0.0, -0.5, -1.0])
_MB_Y0 = np.array([0.0, 0.5, 1.5, 1.0])
_MB_BARRIER = 106.0
"""From the deepest minimum, -146.7 at (-0.558, 1.442), to the saddle, -40.7."""


def mueller_brown(barrier_kt: float) -> Potential:
    """Mueller and Brown, Theor. Chim. Acta 53, 75 (1979), scaled to ``barrier_kt``."""
    scale = barrier_kt / _MB_BARRIER

    def terms(x: Array) -> tuple[Array, Array, Array]:
        dx = x[..., 0, None] - _MB_X0
        dy = x[..., 1, None] - _MB_Y0
        exponent = _MB_XX * dx * dx + _MB_XY * dx * dy + _MB_YY * dy * dy
        return scale * _MB_HEIGHT * np.exp(exponent), dx, dy

    def energy(x: Array) -> Array:
        height, _, _ = terms(x)
        total: Array = height.sum(axis=-1)
        return total

    def force(x: Array) -> Array:
        height, dx, dy = terms(x)
        along_x = (height * (2 * _MB_XX * dx + _MB_XY * dy)).sum(axis=-1)
        along_y = (height * (2 * _MB_YY * dy + _MB_XY * dx)).sum(axis=-1)
        return -np.stack([along_x, along_y], axis=-1)

    return Potential(2, energy, force, ((-2.0, 1.5), (-0.6, 2.4)))


N_CRATE_BASINS = 10
_WALL_KT = 500.0


def egg_crate(barrier_kt: float) -> Potential:
    """U = b (sin^2 pi x + sin^2 pi y): 10 x 10 walled basins at whole numbers."""
    low, high = -0.5, N_CRATE_BASINS - 0.5

    def beyond(x: Array) -> Array:
        found: Array = np.clip(x - high, 0.0, None) + np.clip(x - low, None, 0.0)
        return found

    def energy(x: Array) -> Array:
        crate = barrier_kt * np.square(np.sin(np.pi * x)).sum(axis=-1)
        total: Array = crate + 0.5 * _WALL_KT * np.square(beyond(x)).sum(axis=-1)
        return total

    def force(x: Array) -> Array:
        crate: Array = -barrier_kt * np.pi * np.sin(2 * np.pi * x)
        return crate - _WALL_KT * beyond(x)

    bounds = (low - 0.2, high + 0.2)
    return Potential(2, energy, force, (bounds, bounds))


_ODLD_PERIOD = 2.0
_ODLD_DECAY = 0.5
_ODLD_WALL = 10.0


def odld(barrier_kt: float) -> Potential:
    """U = -b cos(pi (x - 1)) / (e^(x/2) - 1), walled at 10: wells at odd numbers.

    The over-damped Langevin example that comes with WESTPA has b = 5.
    """

    def energy(x: Array) -> Array:
        place = x[..., 0]
        wave = np.cos(2 * np.pi / _ODLD_PERIOD * (place - 1.0))
        beyond = np.clip(place - _ODLD_WALL, 0.0, None)
        wells = -barrier_kt * wave / np.expm1(_ODLD_DECAY * place)
        found: Array = wells + 0.5 * _WALL_KT * beyond * beyond
        return found

    def force(x: Array) -> Array:
        phase = 2 * np.pi / _ODLD_PERIOD * (x - 1.0)
        less_one = np.expm1(_ODLD_DECAY * x)
        falling = _ODLD_DECAY * (less_one + 1.0) * np.cos(phase) / less_one
        slope = 2 * np.pi / _ODLD_PERIOD * np.sin(phase) + falling
        beyond = np.clip(x - _ODLD_WALL, 0.0, None)
        found: Array = -barrier_kt / less_one * slope - _WALL_KT * beyond
        return found

    return Potential(1, energy, force, ((0.6, 10.2),))


POTENTIALS: dict[str, Callable[[float], Potential]] = {
    "double_well": double_well,
    "coupled_well": coupled_well,
    "tilted_wells": tilted_wells,
    "mueller_brown": mueller_brown,
    "egg_crate": egg_crate,
    "odld": odld,
}
