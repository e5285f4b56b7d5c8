"""Does the model stay intact: NaN, broken bonds, strain and collapse, against time."""

import numpy as np

from apps.science.arrays import Array
from apps.science.metrics.conformations._geometry import (
    measure_distances,
    measure_gyration,
)
from apps.science.metrics.conformations.base import (
    Beads,
    Comparison,
    Result,
    WeightedSet,
)
from apps.science.resampling import compare_blocks, sum_blocks

BOND_STRETCH = 1.5
BOND_SQUEEZE = 0.5
"""A bond outside this many times its mean length in the reference is broken."""

COLLAPSE = 0.75
"""A radius of gyration below this share of the reference's least is a collapse."""

VIOLATION_SIGMA = 5.0
"""A bond this many standard deviations of the reference from its mean is strained."""

LEAST_SIGMA_ANGSTROM = 0.02
"""A bond that the reference holds rigid may still move by this."""

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
        """Return ``broken`` and ``bond_violations``, shares, and both against time.

        A WE run resamples, so at each time the weight that is intact estimates the
        probability of being intact; no walker needs to be followed. The floor is the
        reference's own share. Bond violations are of finite frames.
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
        figures = {"broken": broken}
        shares = sums[1].sum(0) / sums[1].sum()
        time_ps, intact = follow_time(course, (sides[1][1] == 0).astype(float))
        arrays = {"time_ps": time_ps, "intact": intact}
        if bounds.length is not None and (sides[1][1] != 1).any():
            strains = [(s, bounds.count_violations(s.positions)) for s, _ in sides]
            figures["bond_violations"] = compare_blocks(
                lambda _a, b, _x, _y: b[:, 0] / b[:, 1],
                [sum_finite(s, v) for s, v in strains],
                (reference.ess, course.ess), comparison.course_plan, self.unit,
            )  # fmt: skip
            arrays["violations_time_ps"], arrays["bond_violations"] = follow_time(
                course, strains[1][1]
            )
        return Result(
            figures=figures,
            details={
                "causes": dict(zip(CAUSES, map(float, shares[1:]), strict=True)),
                "intact_at_end": float(intact[-1]),
            },
            arrays=arrays,
        )


def sum_finite(one: WeightedSet, values: Array) -> Array:
    """Return weighted sums of ``values`` and of one by block, (n_blocks, 2).

    Frames without a value (NaN) count for neither.
    """
    there = np.isfinite(values)
    return np.stack(
        [
            np.bincount(one.block[there], part[there], minlength=one.n_blocks)
            for part in (one.weight * values, one.weight)
        ],
        axis=1,
    )


class Bounds:
    """What counts as intact, from the reference."""

    def __init__(self, reference: WeightedSet, beads: Beads) -> None:
        self.bonds = beads.bonds
        self.length: Array | None = None
        self.sigma: Array | None = None
        if len(self.bonds):
            lengths = measure_distances(reference.positions, self.bonds)
            self.length = reference.weight @ lengths
            variance = reference.weight @ (lengths - self.length) ** 2
            self.sigma = np.maximum(np.sqrt(variance), LEAST_SIGMA_ANGSTROM)
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

    def count_violations(self, positions: Array) -> Array:
        """Return the share of strained bonds, (n_frames,); NaN where not finite."""
        if self.length is None or self.sigma is None:
            raise TypeError("there are no bonds to count.")
        found = np.full(len(positions), np.nan)
        rows = np.flatnonzero(np.isfinite(positions).all(axis=(1, 2)))
        apart = np.abs(measure_distances(positions[rows], self.bonds) - self.length)
        found[rows] = (apart > VIOLATION_SIGMA * self.sigma).mean(axis=1)
        return found


def follow_time(one: WeightedSet, values: Array) -> tuple[Array, Array]:
    """Return times (n,), the ends of up to 50 stretches, and the weighted mean in each.

    Frames whose value is NaN, and stretches without weight, are left out.
    """
    edges = np.linspace(0.0, one.time_ps.max(), N_TIMES + 1)
    index = np.clip(np.searchsorted(edges, one.time_ps) - 1, 0, N_TIMES - 1)
    weight = np.where(np.isfinite(values), one.weight, 0.0)
    total = np.bincount(index, weight, minlength=N_TIMES)
    whole = np.bincount(index, weight * np.nan_to_num(values), minlength=N_TIMES)
    held = total > 0
    return edges[1:][held], whole[held] / total[held]
