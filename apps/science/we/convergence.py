"""How the mean flux of a steady-state run settles, with its interval on the way."""

from dataclasses import dataclass

import numpy as np

from apps.science.arrays import Array
from apps.science.we.kinetics import estimate_kinetics

FEWEST = 8
"""Iterations below which an interval says little: no mean is given before them."""


@dataclass(frozen=True)
class RunningFlux:
    """Mean flux since the burn-in, as known after some iterations.

    Attributes
    ----------
    n_iter : (n_points,), iterations seen so far, the burn-in among them
    mean, low, high : (n_points,), probability per iteration, 95 % interval
    """

    n_iter: Array
    mean: Array
    low: Array
    high: Array


def follow_flux(flux: Array, burn_in: int = 0, n_points: int = 50) -> RunningFlux:
    """Return the running mean of a flux series; its last point is the estimate.

    Empty where fewer than ``FEWEST`` iterations follow the burn-in.

    Parameters
    ----------
    flux : (n_iterations,), probability per iteration
    burn_in : iterations left out at the start
    n_points : how many points, at even distances
    """
    begin = burn_in + FEWEST
    if len(flux) < begin:
        return RunningFlux(*[np.zeros(0)] * 4)
    seen = np.unique(np.linspace(begin, len(flux), n_points).round().astype(int))
    found = [estimate_kinetics(flux[:n], 1.0, burn_in) for n in seen]
    low, high = np.array([k.rate_interval for k in found]).T
    return RunningFlux(seen, np.array([k.flux for k in found]), low, high)


def still_drifts(flux: Array, burn_in: int = 0) -> bool:
    """Tell whether the flux of the two halves after the burn-in differs for certain.

    For certain means: their 95 % intervals do not meet. Then the run is not in its
    steady state and the mean flux is not the rate.
    """
    kept = np.asarray(flux, dtype=float)[burn_in:]
    if len(kept) < 2 * FEWEST:
        return False
    halves = (kept[: len(kept) // 2], kept[len(kept) // 2 :])
    (a, b), (c, d) = (estimate_kinetics(half, 1.0).rate_interval for half in halves)
    return b < c or d < a
