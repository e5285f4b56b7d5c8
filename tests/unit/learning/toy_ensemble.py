"""Weighted-ensemble frames of a potential in two dimensions, and its exact answers.

U/kT = 1.5 (x^2 - 1)^2 + 2.5 (y^2 - 1)^2 + 0.8 y - 1.5 x y; models see x alone.
"""

from dataclasses import dataclass

import numpy as np

from apps.science.arrays import Array

N_BINS, N_WALKERS = 16, 16
_EDGES = np.linspace(-1.6, 1.6, N_BINS + 1)[1:-1]
_STEP = 0.01  # diffusion constant times time step, Angstrom^2
GRID = np.linspace(-2.2, 2.2, 441)


def energy(x: Array, y: Array) -> Array:
    wells = 1.5 * (x * x - 1.0) ** 2 + 2.5 * (y * y - 1.0) ** 2
    return wells + 0.8 * y - 1.5 * x * y


def force(z: Array) -> Array:
    x, y = z.T
    along_x = -6.0 * x * (x * x - 1.0) + 1.5 * y
    along_y = -10.0 * y * (y * y - 1.0) - 0.8 + 1.5 * x
    return np.stack([along_x, along_y], axis=1)


def exact_density() -> Array:
    """Return p(x) on GRID, summing to one."""
    y = np.linspace(-2.5, 2.5, 1001)
    p = np.exp(-energy(GRID[:, None], y)).sum(axis=1)
    return p / p.sum()


@dataclass
class Frames:
    """x and the force along x of every frame, with its weight and iteration."""

    x: Array
    force: Array
    weight: Array
    n_iter: Array


def sample(
    pcoord: int,
    seed: int,
    n_iterations: int = 2000,
    burn_in: int = 200,
    n_steps: int = 25,
    every: int = 5,
) -> Frames:
    """Run a weighted ensemble of 16 bins by 16 walkers along x (0) or y (1).

    Keeps ``every`` so many iterations, and counts those.
    """
    rng = np.random.default_rng(seed)
    z = rng.choice([-1.0, 1.0], (N_BINS * N_WALKERS, 2))
    weight = np.full(len(z), 1.0 / len(z))
    kept = []
    for n_iter in range(n_iterations):
        for _ in range(n_steps):
            z = z + _STEP * force(z) + np.sqrt(2 * _STEP) * rng.normal(size=z.shape)
        if n_iter >= burn_in and n_iter % every == 0:
            number = np.full(len(z), n_iter // every)
            kept.append((z[:, 0], force(z)[:, 0], weight, number))
        z, weight = resample(z, weight, pcoord, rng)
    return Frames(*(np.concatenate(column) for column in zip(*kept, strict=True)))


def resample(
    z: Array, weight: Array, pcoord: int, rng: np.random.Generator
) -> tuple[Array, Array]:
    """Give every occupied bin its number of walkers, of equal weight each.

    Systematic resampling inside a bin: each walker leaves as many copies, on average,
    as its share of the bin's weight.
    """
    where = np.digitize(z[:, pcoord], _EDGES)
    rows, weights = [], []
    for one in np.unique(where):
        inside = np.flatnonzero(where == one)
        total = weight[inside].sum()
        marks = (rng.random() + np.arange(N_WALKERS)) / N_WALKERS
        below = np.cumsum(weight[inside]) / total
        rows.append(inside[np.searchsorted(below, marks).clip(max=len(inside) - 1)])
        weights.append(np.full(N_WALKERS, total / N_WALKERS))
    return z[np.concatenate(rows)], np.concatenate(weights)
