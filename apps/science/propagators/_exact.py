"""Exact densities and mean first passage times of the toy potentials, on a grid."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from apps.science.arrays import Array
from apps.science.errors import ConfigError
from apps.science.propagators._potentials import Potential


@dataclass(frozen=True)
class Grid:
    """Cells of equal size over a potential's bounds.

    Attributes
    ----------
    centres : (n_cells, n_dim), Angstrom; the first dimension varies slowest
    shape : cells per dimension
    width : (n_dim,), Angstrom
    """

    centres: Array
    shape: tuple[int, ...]
    width: Array


def make_grid(potential: Potential, n_cells_per_dim: int) -> Grid:
    """Return a grid over the potential's bounds."""
    axes, widths = [], []
    for low, high in potential.bounds:
        edges = np.linspace(low, high, n_cells_per_dim + 1)
        axes.append(0.5 * (edges[1:] + edges[:-1]))
        widths.append(edges[1] - edges[0])
    mesh = np.meshgrid(*axes, indexing="ij")
    centres = np.stack([m.ravel() for m in mesh], axis=-1)
    return Grid(centres, (n_cells_per_dim,) * potential.n_dim, np.array(widths))


def exact_density(potential: Potential, grid: Grid) -> Array:
    """Return the Boltzmann probability of each cell, (n_cells,), summing to 1."""
    energy = potential.energy(grid.centres)
    weight = np.exp(-(energy - energy.min()))
    density: Array = weight / weight.sum()
    return density


def exact_mfpt(
    potential: Potential,
    diffusion_angstrom2_per_ps: float,
    source: Array,
    in_target: Callable[[Array], Array],
    grid: Grid,
    lag_ps: float | None = None,
) -> float:
    """Return the mean first passage time of overdamped dynamics, ps.

    The Smoluchowski equation is discretised as jumps between neighbouring cells,
    rate i to j = D/h^2 exp(-(U_j - U_i)/2), which obey detailed balance with the
    Boltzmann weights; the times solve L t = -1 outside the target.

    Parameters
    ----------
    source : (n_dim,), Angstrom, where trajectories start
    in_target : (n, n_dim) to (n,) bool
    lag_ps : where given, the target counts only when seen at whole multiples of it,
        as weighted ensemble does at the ends of its segments (needs a small grid)

    Raises
    ------
    ConfigError
        If the target holds no cell, or the source lies in it.
    """
    inside = np.asarray(in_target(grid.centres), dtype=bool)
    start = int(np.argmin(np.square(grid.centres - source).sum(axis=1)))
    if not inside.any() or inside[start]:
        raise ConfigError(
            f"The target holds {inside.sum()} of {len(inside)} grid cells and "
            f"{'holds' if inside[start] else 'lacks'} the source. Choose a target on "
            "the grid, apart from the source."
        )
    rates = _rate_matrix(potential, diffusion_angstrom2_per_ps, grid)
    outside = np.flatnonzero(~inside)
    row = int(np.searchsorted(outside, start))
    if lag_ps is None:
        from scipy.sparse.linalg import spsolve

        kept = rates[outside][:, outside].tocsc()
        return float(spsolve(kept, -np.ones(len(outside)))[row])
    from scipy.linalg import expm

    transition = expm(lag_ps * rates.toarray())[np.ix_(outside, outside)]
    system = np.eye(len(outside)) - transition
    return float(np.linalg.solve(system, np.full(len(outside), lag_ps))[row])


def exact_recycled_flux(
    potential: Potential,
    diffusion_angstrom2_per_ps: float,
    timestep_ps: float,
    n_steps: int,
    source: Array,
    in_target: Callable[[Array], Array],
    grid: Grid,
    n_iterations: int,
) -> Array:
    """Return the probability that each iteration recycles, (n_iterations,).

    The chain is the one that overdamped toy dynamics samples, time step and all: all
    walkers begin at the source, make ``n_steps`` Euler-Maruyama steps of Gaussian
    noise, and those then seen in the target begin anew at the source. The last
    entries of a long series are the steady state, whose inverse is the mean number
    of iterations of a first passage.

    Sums over cells are exact to 1e-8 where a cell is no wider than the noise of one
    step; let cells end where the target does, and one be centred on the source.

    Parameters
    ----------
    source : (n_dim,), Angstrom
    in_target : (n, n_dim) to (n,) bool

    Raises
    ------
    ConfigError
        If the cells are wider than the noise of one step.
    """
    spread = diffusion_angstrom2_per_ps * timestep_ps
    noise = float(np.sqrt(2.0 * spread))
    if grid.width.max() > 1.001 * noise:
        raise ConfigError(
            f"Cells of {grid.width.max():.3g} Angstrom cannot hold the noise of one "
            f"step, {noise:.3g} Angstrom. Use more cells, or a longer time step."
        )
    aims = grid.centres + spread * potential.force(grid.centres)
    # steep corners, never visited, would throw a walker off the grid
    aims = np.clip(aims, grid.centres.min(axis=0), grid.centres.max(axis=0))
    step = np.ones((len(aims), 1))
    for axis, n_cells in enumerate(grid.shape):
        mesh = grid.centres[:, axis].reshape(grid.shape)
        places = np.moveaxis(mesh, axis, 0).reshape(n_cells, -1)[:, 0]
        away = (places - aims[:, axis, None]) / noise
        along = np.exp(-0.5 * np.square(away))
        step = (step[:, :, None] * along[:, None, :]).reshape(len(aims), -1)
    step /= step.sum(axis=1, keepdims=True)
    iteration = np.linalg.matrix_power(step, n_steps)
    inside = np.asarray(in_target(grid.centres), dtype=bool)
    start = int(np.argmin(np.square(grid.centres - source).sum(axis=1)))
    density = np.zeros(len(aims))
    density[start] = 1.0
    found = np.empty(n_iterations)
    for n_iter in range(n_iterations):
        density = density @ iteration
        found[n_iter] = density[inside].sum()
        density[inside] = 0.0
        density[start] += found[n_iter]
    return found


def _rate_matrix(potential: Potential, diffusion: float, grid: Grid):  # type: ignore[no-untyped-def] # scipy has no stubs here
    """Return the sparse generator, (n_cells, n_cells), 1/ps; rows sum to zero."""
    from scipy.sparse import coo_array

    n_cells = len(grid.centres)
    energy = potential.energy(grid.centres)
    index = np.arange(n_cells).reshape(grid.shape)
    rows, columns, values = [], [], []
    for axis, width in enumerate(grid.width):
        low = np.take(index, range(grid.shape[axis] - 1), axis=axis).ravel()
        high = np.take(index, range(1, grid.shape[axis]), axis=axis).ravel()
        for i, j in ((low, high), (high, low)):
            rate = diffusion / width**2 * np.exp(-(energy[j] - energy[i]) / 2.0)
            rows += [i, i]
            columns += [j, i]
            values += [rate, -rate]
    entries = (np.concatenate(values), (np.concatenate(rows), np.concatenate(columns)))
    return coo_array(entries, shape=(n_cells, n_cells)).tocsr()
