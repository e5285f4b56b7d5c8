"""The slowest relaxation time of a Markov state model on the slow coordinates."""

from dataclasses import dataclass

import numpy as np

from apps.science.arrays import Array, IntArray
from apps.science.metrics.conformations._basins import find_valleys, say_crossings
from apps.science.metrics.conformations._tic import project_all, require_components
from apps.science.metrics.conformations._transitions import (
    Pairs,
    assign_centres,
    count_transitions,
    find_centres,
    implied_timescales,
    pair_frames,
)
from apps.science.metrics.conformations.base import (
    Beads,
    Comparison,
    Result,
    WeightedSet,
)
from apps.science.resampling import bound_value, compare_blocks

N_STATES = 30
N_TIMESCALES = 3
MIN_CROSSINGS = 3
"""Changes of basin each way, seen at whole lags, below which no rate can be told."""


class Metric:
    """How much slower or faster the model's slowest process is.

    The figure is |ln(t_model / t_reference)|: 0.69 is a factor of two. Coarse-grained
    dynamics is expected to be faster, since its friction is not the solvent's.
    """

    label = "slowest timescale"
    unit = "ln of the ratio"

    def undefined(self, beads: Beads) -> str | None:
        """Return why there are no slow coordinates, None if there are."""
        return require_components(beads, 1)

    def compare(self, comparison: Comparison) -> Result:
        """Return ``slowest`` and, in the details, the timescales of both."""
        lag_ps = float(getattr(comparison.beads.tica, "lag_ps", 0.0))
        found = count_both(comparison, lag_ps) if lag_ps else "the TICA has no lag"
        if isinstance(found, str):
            return Result(undefined=found)
        times = [
            implied_timescales(square(c.sum(0)), lag_ps, N_TIMESCALES)
            for c in found.counts
        ]
        if not times[0][0] > lag_ps:
            return Result(
                undefined=f"the reference's slowest process ({times[0][0]:.2g} ps) is "
                f"faster than the lag of {lag_ps:g} ps"
            )

        def differ(a: Array, b: Array, _x: float, _y: float) -> Array:
            sides = [
                np.array([implied_timescales(square(r), lag_ps, 1)[0] for r in rows])
                for rows in (a, b)
            ]
            return np.asarray(np.abs(np.log(sides[1] / sides[0])))

        reference, model = comparison.reference, comparison.model
        slowest = compare_blocks(
            differ, found.counts, (reference.ess, model.ess), comparison.plan, self.unit
        )
        plan = (comparison.plan.reference, comparison.plan.model)
        ranges = [
            interval_of(rows, c, lag_ps)
            for rows, c in zip(plan, found.counts, strict=True)
        ]
        return Result(
            figures={"slowest": slowest},
            details={
                "lag_ps": lag_ps,
                "n_states": found.n_states,
                "reference_timescales_ps": times[0].tolist(),
                "model_timescales_ps": times[1].tolist(),
                "reference_slowest_interval_ps": ranges[0],
                "model_slowest_interval_ps": ranges[1],
            },
            arrays={"centres": found.centres},
        )


@dataclass(frozen=True)
class Counts:
    """Transitions of reference and model between shared clusters.

    Attributes
    ----------
    counts : by block, (n_blocks, n_states^2) of each
    centres : (n_states, n_dim) of the slow coordinates
    """

    counts: tuple[Array, Array]
    centres: Array

    @property
    def n_states(self) -> int:
        """Number of clusters."""
        return len(self.centres)


def count_both(comparison: Comparison, lag_ps: float) -> Counts | str:
    """Return the transitions of both sets, or why no timescale can be had of them."""
    sets = {"reference": comparison.reference, "model": comparison.model}
    planes = {k: project_all(s.positions, comparison.beads) for k, s in sets.items()}
    cut = find_cut(planes["reference"], comparison.reference.weight)
    if cut is None:
        return "the reference has one basin only, so nothing slow to time"
    pairs: dict[str, Pairs] = {}
    for name, one in sets.items():
        found = pair_frames(one, lag_ps)
        if isinstance(found, str):
            return f"of the {name}, {found}"
        there, back = found.count_crossings(planes[name][:, cut[0]] > cut[1])
        if min(there, back) < MIN_CROSSINGS:
            return (
                f"the {name} {say_crossings(there, back)}; {MIN_CROSSINGS} times "
                "each way are the least to time it"
            )
        pairs[name] = found
    n_wanted = max(2, min(N_STATES, len(pairs["reference"].first) // 20))
    centres = find_centres(planes["reference"], comparison.seed, n_wanted)
    counts = [
        count_transitions(
            one, pairs[name], assign_centres(planes[name], centres), len(centres)
        )
        for name, one in sets.items()
    ]
    return Counts((counts[0], counts[1]), centres)


def find_cut(plane: Array, weight: Array) -> tuple[int, float] | None:
    """Return the slowest component that has two basins, and where they meet."""
    for component in range(plane.shape[1]):
        valleys = find_valleys(plane[:, component], weight)
        if len(valleys):
            shares = [weight[plane[:, component] > v].sum() for v in valleys]
            best = int(np.argmin(np.abs(np.array(shares) / weight.sum() - 0.5)))
            return component, float(valleys[best])
    return None


def count_crossings(
    one: WeightedSet, plane: Array, tica: object
) -> tuple[int, int] | None:
    """Return how many pairs a lag apart change basin, each way; None if not known."""
    cut = find_cut(plane, one.weight)
    pairs = pair_frames(one, getattr(tica, "lag_ps", None) or 1.0)
    if cut is None or isinstance(pairs, str):
        return None
    return pairs.count_crossings(plane[:, cut[0]] > cut[1])


def count_basins(one: WeightedSet, plane: Array) -> IntArray:
    """Return the basins along each component, (n_dim,)."""
    columns = (plane[:, k] for k in range(plane.shape[1]))
    return np.array([len(find_valleys(c, one.weight)) + 1 for c in columns])


def square(counts: Array) -> Array:
    """Return flat counts (n_states^2,) as a matrix."""
    n = round(len(counts) ** 0.5)
    return counts.reshape(n, n)


def interval_of(rows: Array, counts: Array, lag_ps: float) -> list[float]:
    """Return the 95 % interval of the slowest timescale, ps.

    Parameters
    ----------
    rows : (n_bootstrap, n_blocks), how often each block is drawn
    counts : (n_blocks, n_states^2)
    """

    def log_time(one: Array) -> float:
        return float(np.log(implied_timescales(square(one), lag_ps, 1)[0]))

    with np.errstate(divide="ignore", invalid="ignore"):
        drawn = np.array([log_time(row) for row in rows @ counts])
        found = bound_value(log_time(counts.sum(0)), drawn, len(counts))
    return [float(np.exp(end)) for end in found]
