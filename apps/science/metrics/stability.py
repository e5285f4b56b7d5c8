"""Does the model stay intact: NaN, broken bonds and collapse, against time."""

import numpy as np

from apps.science.arrays import Array
from apps.science.metrics._geometry import measure_distances, measure_gyration
from apps.science.metrics.base import Beads, Comparison, Result, WeightedSet
from apps.science.resampling import compare_blocks, sum_blocks

BOND_STRETCH = 1.5
BOND_SQUEEZE = 0.5
"""A bond outside this many times its mean length in the reference is broken."""

COLLAPSE = 0.75
"""A radius of gyration below this share of the reference's least is a collapse."""

N_TIMES = 50
CAUSES = ("not finite", "broken bond", "collapsed")


class Metric:
    """Share of the model's weight that is not intact, from time zero."""

    label = "broken structures"
    unit = ""

    def undefined(self, beads: Beads) -> str | None:
        """Return None: every set of beads can break."""
        return None

    def compare(self, comparison: Comparison) -> Result:
        """Return ``broken``, a share, and the course of what is intact.

        A WE run resamples, so at each time the weight that is intact estimates the
        probability of being intact; no walker needs to be followed. The floor is the
        reference's own share.
        """
        reference, course = comparison.reference, comparison.model_course
        bounds = Bounds(reference, comparison.beads)
        sides = [(s, bounds.classify(s.positions)) for s in (reference, course)]
        sums = [
            sum_blocks(s.block, s.n_blocks, c[:, None], s.weight[:, None], 4)
            for s, c in sides
        ]
        broken = compare_blocks(
            lambda _a, b, _x, _y: 1.0 - b[:, 0] / b.sum(-1),
            sums, (reference.ess, course.ess), comparison.course_plan, self.unit,
        )  # fmt: skip
        shares = sums[1].sum(0) / sums[1].sum()
        time_ps, intact = follow_time(course, sides[1][1] == 0)
        return Result(
            figures={"broken": broken},
            details={
                "causes": dict(zip(CAUSES, map(float, shares[1:]), strict=True)),
                "intact_at_end": float(intact[-1]),
            },
            arrays={"time_ps": time_ps, "intact": intact},
        )


class Bounds:
    """What counts as intact, from the reference."""

    def __init__(self, reference: WeightedSet, beads: Beads) -> None:
        self.bonds = beads.bonds
        self.length = None
        if len(self.bonds):
            lengths = measure_distances(reference.positions, self.bonds)
            self.length = reference.weight @ lengths
        self.least_gyration = COLLAPSE * measure_gyration(reference.positions).min()

    def classify(self, positions: Array) -> np.ndarray:
        """Return (n_frames,): 0 intact, else 1 + the index of its cause."""
        finite = np.isfinite(positions).all(axis=(1, 2))
        found = np.where(finite, 0, 1)
        rows = np.flatnonzero(finite)
        whole = positions[rows]
        found[rows[measure_gyration(whole) < self.least_gyration]] = 3
        if self.length is not None:
            ratio = measure_distances(whole, self.bonds) / self.length
            torn = ((ratio > BOND_STRETCH) | (ratio < BOND_SQUEEZE)).any(axis=1)
            found[rows[torn]] = 2
        return found


def follow_time(one: WeightedSet, intact: np.ndarray) -> tuple[Array, Array]:
    """Return times (n,), the ends of up to 50 stretches, and the intact share in each.

    A stretch without weight repeats the share before it.
    """
    edges = np.linspace(0.0, one.time_ps.max(), N_TIMES + 1)
    index = np.clip(np.searchsorted(edges, one.time_ps) - 1, 0, N_TIMES - 1)
    total = np.bincount(index, one.weight, minlength=N_TIMES)
    whole = np.bincount(index, one.weight * intact, minlength=N_TIMES)
    held = total > 0
    return edges[1:][held], whole[held] / total[held]
