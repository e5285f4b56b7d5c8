"""Whether model and reference are in the same places: the 99 % area of each."""

from dataclasses import replace

import numpy as np

from apps.science.arrays import Array
from apps.science.metrics.conformations._tic import require_components
from apps.science.metrics.conformations.base import Beads, Comparison, Result
from apps.science.metrics.conformations.tica2d import N_BINS, divide_plane
from apps.science.resampling import compare_blocks

SHARE = 0.99
SMOOTHING_BINS = 1.5
"""Of the density that orders cells, as in the report's pictures."""
_SLACK = 1e-9
"""Numbers that differ by less are equal, whatever the order of their sum."""

_SIDE = N_BINS + 2
_INNER = (
    np.arange(_SIDE**2).reshape(_SIDE, _SIDE)[1:-1, 1:-1].reshape(-1)
)  # the cells beyond the grid have no area


class Metric:
    """What lies outside the other's highest-density region (Hyndman, 1996).

    The region is the smallest part of the plane of TIC 0 and TIC 1, in cells of the
    grid of ``tica2d`` and by a density smoothed by 1.5 of them, that holds 99 % of a
    set's weight. ``outside`` is the share of
    the model's weight outside the reference's, ``missed`` the share of the
    reference's weight outside the model's: a model that flies apart has much of the
    first, one that is stuck in a basin much of the second.
    """

    label = "coverage of TIC 0 and 1"
    unit = ""

    def undefined(self, beads: Beads) -> str | None:
        """Return why the plane does not exist, None if it does."""
        return require_components(beads, 2)

    def compare(self, comparison: Comparison) -> Result:
        """Return ``outside`` and ``missed``; the areas go to the arrays."""
        _, _, masses = divide_plane(comparison)
        ess = (comparison.reference.ess, comparison.model.ess)
        figures = {
            name: compare_blocks(function, masses, ess, comparison.plan, "")
            for name, function in (("outside", _outside), ("missed", _missed))
        }
        areas = [find_area(m.sum(0)[None])[0].reshape(N_BINS, N_BINS) for m in masses]
        return Result(
            figures={
                name: replace(f, high=min(1.0, f.high)) for name, f in figures.items()
            },
            details={"share": SHARE, "n_reference_cells": int(areas[0].sum())},
            arrays={"reference_area": areas[0], "model_area": areas[1]},
        )


def find_area(masses: Array) -> Array:
    """Return which cells make the region of 99 % of each row's weight.

    Cells are taken by falling density, smoothed so that few frames leave no holes,
    until they hold 99 % of the weight as it is. Cells of the same density as the last
    one belong to the region as well.

    Parameters
    ----------
    masses : (n_rows, (N_BINS + 2)^2), of the grid and, at its rim, beyond it

    Returns
    -------
    (n_rows, N_BINS^2); where more than 1 % lies beyond the grid, it holds the rest
    """
    from scipy.ndimage import gaussian_filter

    inner = masses[:, _INNER]
    density = gaussian_filter(
        inner.reshape(-1, N_BINS, N_BINS),
        (0, SMOOTHING_BINS, SMOOTHING_BINS),
        mode="constant",
    ).reshape(inner.shape)
    falling = np.argsort(-density, axis=1, kind="stable")
    held = np.cumsum(np.take_along_axis(inner, falling, axis=1), axis=1)
    wanted = np.minimum(SHARE * masses.sum(axis=1), held[:, -1])[:, None]
    last = (held < wanted * (1.0 - _SLACK)).sum(axis=1)[:, None]
    last = np.minimum(last, inner.shape[1] - 1)
    least = np.take_along_axis(
        density, np.take_along_axis(falling, last, axis=1), axis=1
    )
    return np.asarray((density > 0) & (density >= least * (1.0 - _SLACK)))


def _outside(a: Array, b: Array, ess_a: float, ess_b: float) -> Array:
    """Return the share of ``b`` outside the area of ``a``, (n_rows,)."""
    inside = np.where(find_area(a), b[:, _INNER], 0.0).sum(axis=1)
    return np.asarray(np.clip(1.0 - inside / b.sum(axis=1), 0.0, None))


def _missed(a: Array, b: Array, ess_a: float, ess_b: float) -> Array:
    return _outside(b, a, ess_b, ess_a)
