"""The plane of the two slowest coordinates: densities and free energies on one grid."""

from dataclasses import dataclass

import numpy as np

from apps.science.arrays import Array
from apps.science.statistics import weighted_quantile
from apps.science.units import thermal_energy
from campaign.report.parts.judged.clouds import Cloud, read_clouds
from campaign.report.parts.learnt_source import LearntSource

AXES = ("TIC 0", "TIC 1")
N_CELLS = 50
N_COARSE = 20
"""Cells per axis for coverage: finer ones would hold less than a frame each."""


@dataclass(frozen=True)
class Plane:
    """Weighted points in a plane, on a grid shared by all sets.

    Attributes
    ----------
    points : (n, 2), without unit (TICA components have unit variance)
    weights : (n,)
    edges : two arrays (N_CELLS + 1,)
    """

    points: Array
    weights: Array
    edges: tuple[Array, Array]

    def centres(self, axis: int) -> Array:
        """Return the middles of the cells along one axis."""
        edges = self.edges[axis]
        return (edges[1:] + edges[:-1]) / 2

    def masses(self) -> Array:
        """Return the probability of each cell, (N_CELLS, N_CELLS); outside is lost."""
        x, y = self.points.T
        masses = np.histogram2d(x, y, list(self.edges), weights=self.weights)[0]
        return np.asarray(masses / self.weights.sum())

    def log_density(self) -> Array:
        """Return ln of the smoothed density over its maximum, for a drawing."""
        from scipy.ndimage import gaussian_filter

        smooth = gaussian_filter(self.masses(), 1.2)
        return np.asarray(np.log(np.maximum(smooth, 1e-12) / smooth.max()))

    def free_energy(self, temperature_kelvin: float) -> Array:
        """Return -kT ln p over its minimum, kcal/mol, NaN where nothing was near.

        Smoothed by a kernel of about a cell, for a drawing; scores use the raw counts.
        """
        from scipy.ndimage import gaussian_filter

        masses = gaussian_filter(self.masses(), 0.9)
        near = gaussian_filter((self.masses() > 0).astype(float), 0.9) > 0.12
        with np.errstate(divide="ignore"):
            energy = -thermal_energy(temperature_kelvin) * np.log(masses)
        energy -= energy.min()
        return np.where(np.isfinite(energy) & near, energy, np.nan)

    def range_of(self, axis: int) -> tuple[float, float]:
        """Return the 0.05 to 99.95 % range of one coordinate."""
        quantiles = np.array([0.0005, 0.9995])
        low, high = weighted_quantile(self.points[:, axis], self.weights, quantiles)
        return float(low), float(high)

    def coverage(self, others: Array) -> tuple[float, float]:
        """Return how ``others`` (m, 2) cover this set, on a coarse grid.

        Returns
        -------
        Share of this set's occupied cells that others came to, and share of others
        that lie in no such cell.
        """
        edges = [np.linspace(e[0], e[-1], N_COARSE + 1) for e in self.edges]
        mine = np.histogram2d(self.points[:, 0], self.points[:, 1], edges)[0] > 0
        theirs = np.histogram2d(others[:, 0], others[:, 1], edges)[0]
        seen = float((mine & (theirs > 0)).sum() / max(1, mine.sum()))
        return seen, 1.0 - float(theirs[mine].sum() / max(1, len(others)))


def read_planes(source: LearntSource, models: list[str]) -> dict[str, Plane]:
    """Return the planes of TIC 0 and TIC 1 of the reference and of models with frames.

    Empty until the reference stage has fitted TICA.
    """
    return make_planes(read_clouds(source, models), 0)


def make_planes(clouds: dict[str, Cloud], axis: int) -> dict[str, Plane]:
    """Return the planes of components ``axis`` and the next, on the reference's grid.

    Empty where there are not so many components.
    """
    reference = clouds.get("reference")
    if reference is None or reference.n_dim < axis + 2:
        return {}
    both = slice(axis, axis + 2)
    points, weights = reference.points[:, both], reference.weights
    edges = (_edges(points[:, 0], weights), _edges(points[:, 1], weights))
    return {n: Plane(c.points[:, both], c.weights, edges) for n, c in clouds.items()}


def _edges(values: Array, weights: Array) -> Array:
    low, high = weighted_quantile(values, weights, np.array([0.0005, 0.9995]))
    margin = 0.12 * max(high - low, 1e-6)
    return np.linspace(low - margin, high + margin, N_CELLS + 1)
