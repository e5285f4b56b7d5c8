"""Each dihedral of the bead chain by itself: the worst, and all of them listed.

Pooled dihedrals hide a pair of errors that cancel; phi and psi of a dipeptide are
judged one by one.
"""

import numpy as np

from apps.science.arrays import Array
from apps.science.metrics.conformations._geometry import measure_dihedrals
from apps.science.metrics.conformations.base import Beads, Comparison, Result
from apps.science.metrics.conformations.distribution import (
    js_of_sums,
    normalise,
    sum_bins,
)
from apps.science.resampling import compare_blocks
from apps.science.statistics import periodic_edges

N_BINS = 60


class Metric:
    """Jensen-Shannon divergence (natural logarithm) on 60 bins of 6 degrees."""

    label = "single dihedrals"
    unit = "nats"

    def undefined(self, beads: Beads) -> str | None:
        """Return why there is none, None if there is."""
        return None if len(beads.dihedrals) else "no four beads are bonded in a row"

    def compare(self, comparison: Comparison) -> Result:
        """Return the worst divergence; ``details`` lists each dihedral."""
        edges = periodic_edges(360.0, N_BINS)
        dihedrals = comparison.beads.dihedrals
        n = len(dihedrals)
        sets = (comparison.reference, comparison.model)
        masses = []
        for one in sets:
            angles = (measure_dihedrals(one.positions, dihedrals) + 180) % 360 - 180
            rows = [sum_bins(one, angles[:, k : k + 1], edges) for k in range(n)]
            # a circle has no outside
            masses.append(np.concatenate([m[:, 1:-1] for m in rows], axis=1))

        def worst(a: Array, b: Array, x: float, y: float) -> Array:
            return np.asarray(each(a, b, n, x, y).max(axis=-1))

        ess = (sets[0].ess, sets[1].ess)
        found = compare_blocks(worst, masses, ess, comparison.plan, self.unit)
        whole = [m.sum(0).reshape(n, N_BINS) for m in masses]
        js = each(whole[0].ravel()[None], whole[1].ravel()[None], n, *ess)[0]
        early, late = (half.ravel()[None] for half in split_blocks(masses[1], n))
        between = each(early, late, n, ess[1], ess[1])[0]
        positive = [normalise(m)[:, N_BINS // 2 :].sum(1) for m in whole]
        details = [
            {
                "beads": [int(b) for b in dihedrals[k]],
                "js": float(js[k]),
                "js_between_halves_of_model": float(between[k]),
                "reference_positive": float(positive[0][k]),
                "model_positive": float(positive[1][k]),
            }
            for k in range(n)
        ]
        arrays = {
            "bins": edges,
            "each_reference": np.asarray(normalise(whole[0])),
            "each_model": np.asarray(normalise(whole[1])),
        }
        return Result({"worst_js": found}, {"each": details}, arrays)


def each(a: Array, b: Array, n: int, ess_a: float, ess_b: float) -> Array:
    """Return (n_rows, n) divergences of rows of ``n`` histograms side by side."""
    return js_of_sums(
        a.reshape(len(a), n, N_BINS), b.reshape(len(b), n, N_BINS), ess_a, ess_b
    )


def split_blocks(masses: Array, n: int) -> tuple[Array, Array]:
    """Return the histograms of every other block, (n, 60) each."""
    halves = [masses[k::2].sum(0).reshape(n, N_BINS) for k in range(2)]
    return halves[0], halves[-1] if len(masses) > 1 else halves[0]
