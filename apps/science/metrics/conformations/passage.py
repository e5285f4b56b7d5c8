"""Mean first passage time to a target: the model's flux against the reference's MSM."""

import numpy as np
from numpy.typing import NDArray

from apps.science.arrays import Array
from apps.science.metrics.conformations._tic import project_all, require_components
from apps.science.metrics.conformations._transitions import (
    assign_centres,
    count_transitions,
    find_centres,
    first_passage_time,
    pair_frames,
)
from apps.science.metrics.conformations.base import Beads, Comparison, Passage, Result
from apps.science.metrics.conformations.timescales import N_STATES, square
from apps.science.resampling import MIN_BLOCKS, compare_blocks, plan_resampling
from apps.science.we.kinetics import estimate_kinetics

N_FLUX_BLOCKS = 20


class Metric:
    """How much faster or slower the model reaches its target.

    The model's mean first passage time is its resampling time over its mean flux
    (Hill); the reference's is that of a Markov state model at the TICA's lag, begun
    where the model's walkers begin. The figure is |ln| of their ratio.
    """

    label = "first passage to the target"
    unit = "ln of the ratio"

    def undefined(self, beads: Beads) -> str | None:
        """Return why there are no slow coordinates, None if there are."""
        return require_components(beads, 1)

    def compare(self, comparison: Comparison) -> Result:
        """Return ``mfpt`` and, in the details, both times with the model's interval."""
        passage = comparison.passage
        lag_ps = float(getattr(comparison.beads.tica, "lag_ps", 0.0))
        if passage is None:
            return Result(undefined="the model's run has no target")
        if len(passage.flux) < 2 or not passage.flux.sum() > 0:
            return Result(
                undefined=f"no walker reached the target in {len(passage.flux)} "
                "iterations"
            )
        found = count_reference(comparison, passage, lag_ps)
        if isinstance(found, str):
            return Result(undefined=found)
        counts, law = found
        kinetics = estimate_kinetics(passage.flux, passage.tau_ps)
        blocks = flux_blocks(passage, kinetics.correlation_time)

        def time(rows: Array) -> Array:
            if rows.shape[1] == 2:
                return np.asarray(passage.tau_ps * rows[:, 1] / rows[:, 0])
            each = [first_passage_time(square(r), lag_ps, law) for r in rows]
            return np.array(each)

        reference_ps = float(time(counts.sum(0)[None])[0])
        if not np.isfinite(reference_ps):
            return Result(undefined="the reference never reaches the target")
        plan = plan_resampling(
            comparison.reference.n_blocks, len(blocks), len(comparison.plan.reference),
            comparison.seed,
        )  # fmt: skip
        return Result(
            figures={
                "mfpt": compare_blocks(
                    lambda a, b, _x, _y: np.abs(np.log(time(b) / time(a))),
                    [counts, blocks], (1.0, 1.0), plan, self.unit,
                )
            },
            details={
                "reference_mfpt_ps": reference_ps,
                "model_mfpt_ps": kinetics.mfpt_ps,
                "model_mfpt_interval_ps": list(kinetics.mfpt_interval),
                "model_rate_per_ps": kinetics.rate_per_ps,
                "model_flux_correlation_iterations": kinetics.correlation_time,
                "model_flux_is_short": kinetics.is_short,
                "lag_ps": lag_ps,
            },
            arrays={"flux": passage.flux},
        )  # fmt: skip


def count_reference(
    comparison: Comparison, passage: Passage, lag_ps: float
) -> tuple[Array, Array] | str:
    """Return counts by block with the target as last state, and the law of starts."""
    reference = comparison.reference
    plane = project_all(reference.positions, comparison.beads)
    within = in_regions(plane, passage)
    if within.all() or not within.any():
        where = "all" if within.all() else "none"
        return f"{where} of the reference lies in the target"
    pairs = pair_frames(reference, lag_ps) if lag_ps else "the TICA has no lag"
    if isinstance(pairs, str):
        return f"of the reference, {pairs}"
    centres = find_centres(plane[~within], comparison.seed, N_STATES)
    target = len(centres)
    state = np.where(within, target, assign_centres(plane, centres))
    counts = count_transitions(reference, pairs, state, target + 1)
    starts = assign_centres(passage.starts[:, : plane.shape[1]], centres)
    return counts, np.bincount(starts, minlength=target + 1) / len(starts)


def in_regions(plane: Array, passage: Passage) -> NDArray[np.bool_]:
    """Return whether each point (n_frames, n_dim) lies in a target, (n_frames,)."""
    found = np.zeros(len(plane), dtype=bool)
    for region in passage.regions:
        inside = np.ones(len(plane), dtype=bool)
        for component, (low, high) in enumerate(region[: plane.shape[1]]):
            inside &= (plane[:, component] >= low) & (plane[:, component] < high)
        found |= inside
    return found


def flux_blocks(passage: Passage, correlation_time: float) -> Array:
    """Return what arrived and the iterations of each stretch, (n_blocks, 2).

    Stretches of two correlation times or more pass for independent: at most 20, and
    at least 8 where there are as many iterations.
    """
    n_long = int(len(passage.flux) / (2 * correlation_time))
    wanted = min(max(n_long, MIN_BLOCKS), N_FLUX_BLOCKS, len(passage.flux))
    parts = np.array_split(passage.flux, wanted)
    return np.array([[part.sum(), len(part)] for part in parts])
