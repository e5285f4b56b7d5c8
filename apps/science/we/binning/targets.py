"""Where a steady-state run recycles its walkers, checked against bins and starts."""

import itertools
import math
from collections.abc import Sequence

import numpy as np

from apps.science.errors import ConfigError
from apps.science.we.config import RectilinearBins, Target, VoronoiBins, WEConfig

Point = Sequence[float]


def bounds(target: Target) -> list[tuple[float, float]]:
    """Return (low, high) per dimension of a target region, open ends infinite."""
    return [
        (-math.inf if low is None else low, math.inf if high is None else high)
        for low, high in target.region or ()
    ]


def representative(target: Target) -> list[float]:
    """Return a point inside the target, by which WESTPA knows its bin."""
    if target.pcoord is not None:
        return list(target.pcoord)
    return [_inside(low, high) for low, high in bounds(target)]


def _inside(low: float, high: float) -> float:
    if math.isfinite(low) and math.isfinite(high):
        return 0.5 * (low + high)
    if math.isfinite(low):
        return low + max(1.0, abs(low))
    return high - max(1.0, abs(high)) if math.isfinite(high) else 0.0


def holds(config: WEConfig, target: Target, point: Point) -> bool:
    """Say whether a walker that ends at ``point`` is recycled by ``target``."""
    if target.pcoord is None:
        pairs = zip(bounds(target), point, strict=True)
        return all(low <= x < high for (low, high), x in pairs)
    return _fixed_bin(config, target.pcoord) == _fixed_bin(config, point)


def _fixed_bin(config: WEConfig, point: Point) -> tuple[int, ...]:
    """Return the place of a point in the fixed grid, rounded as WESTPA does.

    Where the bins are Voronoi cells it is the number of the nearest centre.
    """
    if isinstance(config.bins, VoronoiBins):
        from apps.science.we.binning.voronoi import EuclideanVoronoiBinMapper

        mapper = EuclideanVoronoiBinMapper(config.bins.centers, config.bins.scale)
        return (int(mapper.assign([point])[0]),)
    if not isinstance(config.bins, RectilinearBins):
        raise ConfigError(
            "A target given by a point needs rectilinear or Voronoi bins; give it a "
            "region."
        )
    return tuple(
        int(np.searchsorted(np.asarray(edges, "f4"), np.asarray(x, "f4"), side="right"))
        for edges, x in zip(config.bins.edges, point, strict=True)
    )


def check_starts(
    config: WEConfig,
    names: Sequence[str],
    probabilities: Sequence[float],
    pcoords: Sequence[Point],
) -> None:
    """Check the basis states, and that neither they nor targets lie in a target.

    Raises
    ------
    ConfigError
        If a probability is not positive, a start would be recycled at once, or two
        targets claim the same bin.
    """
    bad = [
        f"{name} ({p:g})"
        for name, p in zip(names, probabilities, strict=True)
        if not (math.isfinite(p) and p > 0)
    ]
    if bad:
        raise ConfigError(
            f"Starting states need a probability above zero; found {', '.join(bad)}. "
            "Raise it, or leave the state out."
        )
    _check_separate(config)
    for target in config.targets:
        pairs = zip(names, pcoords, strict=True)
        held = [name for name, point in pairs if holds(config, target, point)]
        if held:
            raise ConfigError(
                f"The target {target.label!r} holds the starting states "
                f"{', '.join(held)}: their walkers would be recycled where they begin. "
                "Move the target away from them."
            )


def _check_separate(config: WEConfig) -> None:
    """Check that no target lies in the bin of another."""
    for one, other in itertools.permutations(config.targets, 2):
        if holds(config, one, representative(other)):
            raise ConfigError(
                f"The target {other.label!r} lies in the bin of the target "
                f"{one.label!r}, so WESTPA could not tell them apart. Separate them, "
                "or make the bins finer there."
            )
