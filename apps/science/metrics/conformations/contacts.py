"""Contact maps: differences of mean distances and of contact probabilities."""

import numpy as np

from apps.science.arrays import Array, IntArray
from apps.science.metrics.conformations._geometry import (
    MIN_SEPARATION,
    far_pairs,
    measure_distances,
)
from apps.science.metrics.conformations.base import (
    Beads,
    Comparison,
    Result,
    WeightedSet,
)
from apps.science.metrics.conformations.distribution import N_FRAMES_PER_BATCH
from apps.science.resampling import compare_blocks

CONTACT_ANGSTROM = 10.0


class Metric:
    """Mean absolute difference over pairs at least three beads apart."""

    label = "contact map"
    unit = "Å"

    def undefined(self, beads: Beads) -> str | None:
        """Return why there are no pairs, None if there are."""
        if beads.n_beads > MIN_SEPARATION:
            return None
        return f"no two of {beads.n_beads} beads are {MIN_SEPARATION} apart"

    def compare(self, comparison: Comparison) -> Result:
        """Return ``difference`` (mean distances) and ``contact_difference``."""
        n_beads = comparison.beads.n_beads
        pairs = far_pairs(n_beads)
        sums = [sum_pairs(s, pairs) for s in (comparison.reference, comparison.model)]
        ess = (comparison.reference.ess, comparison.model.ess)
        n_pairs = len(pairs)

        def differ(part: slice, a: Array, b: Array) -> Array:
            gap = a[:, part] / a[:, -1:] - b[:, part] / b[:, -1:]
            return np.asarray(np.abs(gap).mean(axis=-1))

        distance, contact = slice(0, n_pairs), slice(n_pairs, 2 * n_pairs)
        figures = {
            "difference": compare_blocks(
                lambda a, b, _x, _y: differ(distance, a, b),
                sums, ess, comparison.plan, self.unit,
            ),
            "contact_difference": compare_blocks(
                lambda a, b, _x, _y: differ(contact, a, b),
                sums, ess, comparison.plan, "",
            ),
        }  # fmt: skip
        arrays: dict[str, np.ndarray] = {}
        for side, blocks in zip(("reference", "model"), sums, strict=True):
            mean = blocks.sum(0) / blocks.sum(0)[-1]
            arrays[f"{side}_distance"] = fill_map(mean[distance], pairs, n_beads)
            arrays[f"{side}_contact"] = fill_map(mean[contact], pairs, n_beads)
        return Result(figures, {"contact_angstrom": CONTACT_ANGSTROM}, arrays)


def sum_pairs(one: WeightedSet, pairs: IntArray) -> Array:
    """Return weighted sums of distances, contacts and of one, (n_blocks, 2 n + 1)."""
    sums = np.zeros((one.n_blocks, 2 * len(pairs) + 1))
    for start in range(0, len(one.weight), N_FRAMES_PER_BATCH):
        rows = slice(start, start + N_FRAMES_PER_BATCH)
        apart = measure_distances(one.positions[rows], pairs)
        values = np.hstack([apart, apart < CONTACT_ANGSTROM, np.ones((len(apart), 1))])
        np.add.at(sums, one.block[rows], values * one.weight[rows, None])
    return sums


def fill_map(values: Array, pairs: IntArray, n_beads: int) -> Array:
    """Return the symmetric (n_beads, n_beads) map; NaN near the diagonal."""
    full = np.full((n_beads, n_beads), np.nan)
    full[pairs[:, 0], pairs[:, 1]] = values
    full[pairs[:, 1], pairs[:, 0]] = values
    return full
