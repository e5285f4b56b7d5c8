"""Voronoi bins: a walker belongs to the nearest of some fixed centres, in float64."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from westpa.core.binning import VoronoiBinMapper

from apps.science.arrays import Array
from apps.science.errors import ShapeMismatchError


def compute_distances(
    point: Array, centers: Array, scale: Sequence[float] | None = None
) -> Array:
    """Return the Euclidean distance of a point to every centre, (n_centers,) float32.

    This is the ``dfunc`` of WESTPA's VoronoiBinMapper.

    Parameters
    ----------
    point : (n_dim,)
    centers : (n_centers, n_dim)
    scale : (n_dim,), the length that counts as one along each dimension
    """
    apart = np.asarray(point, dtype=np.float64) - np.asarray(centers, dtype=np.float64)
    lengths = np.ones(apart.shape[-1]) if scale is None else np.asarray(scale)
    distances: Array = np.linalg.norm(apart / lengths, axis=-1).astype(np.float32)
    return distances


class EuclideanVoronoiBinMapper(VoronoiBinMapper):  # type: ignore[misc]
    """WESTPA's VoronoiBinMapper, all walkers at once and without its rounding.

    WESTPA rounds progress coordinates and distances to float32, which puts walkers
    near a border in the wrong cell. Of centres equally near the first one is taken.
    """

    def __init__(
        self,
        centers: Sequence[Sequence[float]],
        scale: Sequence[float] | None = None,
    ) -> None:
        super().__init__(
            compute_distances,
            np.asarray(centers, dtype=np.float64),
            dfkwargs={"scale": None if scale is None else list(scale)},
        )

    def assign(self, coords: Any, mask: Any = None, output: Any = None) -> Any:
        """Return the bin of each row, (n,) uint16.

        Parameters
        ----------
        coords : (n, n_dim)
        mask : (n,) bool; rows that are False keep their ``output``
        """
        rows = np.asarray(coords, dtype=np.float64)
        n_dim = self.centers.shape[1]
        if rows.ndim != 2 or rows.shape[1] != n_dim:
            raise ShapeMismatchError(
                f"Got progress coordinates of shape {rows.shape}; the Voronoi centres "
                f"have {n_dim} dimensions. Make the two agree."
            )
        kept = np.ones(len(rows), bool) if mask is None else np.asarray(mask, bool)
        if output is None:
            output = np.zeros(len(rows), dtype=np.uint16)
        scale = self.dfkwargs["scale"]
        lengths = np.ones(n_dim) if scale is None else np.asarray(scale)
        apart = (rows[kept][:, None] - self.centers) / lengths
        output[kept] = (apart**2).sum(axis=-1).argmin(axis=1)
        return output
