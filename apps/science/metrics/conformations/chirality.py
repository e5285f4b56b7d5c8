"""Handedness of the chain: a distance-only model folds into mirror images as well."""

import numpy as np

from apps.science.arrays import Array, IntArray
from apps.science.metrics.conformations.base import (
    Beads,
    Comparison,
    Result,
    WeightedSet,
)
from apps.science.metrics.conformations.distribution import (
    N_FRAMES_PER_BATCH,
    DistributionMetric,
    observe_all,
)
from apps.science.resampling import compare_blocks


class Metric(DistributionMetric):
    """Normalised triple product of three successive bonds, -1 to 1.

    Its sign changes with a mirror image. Where C-beta atoms are beads it is taken of
    the bonds from each C-alpha to N, C and C-beta: one sign is an L residue. Else it
    is of the chain's dihedrals (of C-alpha traces: Solymosi et al., 2002), whose mean
    sign a protein of L residues fixes only on average.
    """

    label = "chirality"
    unit = ""

    def undefined(self, beads: Beads) -> str | None:
        """Return why there is none, None if there is."""
        if len(beads.centres) or len(beads.dihedrals):
            return None
        return "no four beads are bonded in a row"

    def observe(self, positions: Array, beads: Beads) -> Array:
        """Return (n_frames, n_centres or n_dihedrals), -1 to 1."""
        x = np.asarray(positions, dtype=float)
        quads = beads.centres if len(beads.centres) else beads.dihedrals
        a, b, c, d = (x[:, quads[:, k]] for k in range(4))
        arms = (b - a, c - a, d - a) if len(beads.centres) else (b - a, c - b, d - c)
        one, two, three = (v / np.linalg.norm(v, axis=-1, keepdims=True) for v in arms)
        return np.asarray((one * np.cross(two, three)).sum(-1))

    def compare(self, comparison: Comparison) -> Result:
        """Return the divergences, and ``handedness``: mean difference of P(> 0)."""
        found = super().compare(comparison)
        sets = (comparison.reference, comparison.model)
        sums = [self._sum_signs(s, comparison.beads) for s in sets]
        found.figures["handedness"] = compare_blocks(
            lambda a, b, _x, _y: np.abs(
                a[:, :-1] / a[:, -1:] - b[:, :-1] / b[:, -1:]
            ).mean(axis=-1),
            sums, (sets[0].ess, sets[1].ess), comparison.plan, "",
        )  # fmt: skip
        for name, one in zip(("reference", "model"), sums, strict=True):
            found.arrays[f"{name}_positive"] = one[:, :-1].sum(0) / one[:, -1].sum()
        return found

    def _sum_signs(self, one: WeightedSet, beads: Beads) -> Array:
        """Return the weight with a positive sign, and all, (n_blocks, n + 1)."""
        positive = observe_all(self, one.positions, beads) > 0
        values = np.hstack([positive, np.ones((len(positive), 1))])
        sums = np.zeros((one.n_blocks, values.shape[1]))
        for start in range(0, len(values), N_FRAMES_PER_BATCH):
            rows = slice(start, start + N_FRAMES_PER_BATCH)
            np.add.at(sums, one.block[rows], values[rows] * one.weight[rows, None])
        return sums


def list_centres(names: list[str], residues: list[tuple[int, int]]) -> IntArray:
    """Return the beads CA, N, C, CB of each residue that has all four, (n, 4).

    Parameters
    ----------
    names, residues : of each bead; a residue is (chain, resid)
    """
    place = {
        (residue, name): bead
        for bead, (residue, name) in enumerate(zip(residues, names, strict=True))
    }
    found = [
        [place[residue, name] for name in ("CA", "N", "C", "CB")]
        for residue in dict.fromkeys(residues)
        if all((residue, name) in place for name in ("CA", "N", "C", "CB"))
    ]
    return np.array(found, dtype=int).reshape(-1, 4)
