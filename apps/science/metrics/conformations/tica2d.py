"""The plane of TIC 0 and TIC 1: KL and JS on 50 x 50 bins, sliced Wasserstein-1."""

import numpy as np

from apps.science.arrays import Array
from apps.science.metrics.conformations._tic import project_all, require_components
from apps.science.metrics.conformations.base import (
    Beads,
    Comparison,
    Result,
    WeightedSet,
)
from apps.science.metrics.conformations.distribution import (
    Transport,
    js_of_sums,
    kl_of_sums,
)
from apps.science.resampling import compare_blocks, sum_blocks
from apps.science.statistics import bin_values, shared_edges

N_BINS = 50
N_SLICES = 16
N_SLICE_BINS = 128


class Metric:
    """The two slowest coordinates jointly."""

    label = "TIC 0 and TIC 1"
    unit = ""

    def undefined(self, beads: Beads) -> str | None:
        """Return why the plane does not exist, None if it does."""
        return require_components(beads, 2)

    def compare(self, comparison: Comparison) -> Result:
        """Compare on a grid over the reference's range, with bins for the outside."""
        sets = (comparison.reference, comparison.model)
        planes, edges, masses = divide_plane(comparison)
        ess = (sets[0].ess, sets[1].ess)
        figures = {
            name: compare_blocks(function, masses, ess, comparison.plan, "nats")
            for name, function in (("kl", kl_of_sums), ("js", js_of_sums))
        }
        sliced = SlicedTransport(planes[0], planes[1])
        figures["w1"] = compare_blocks(
            sliced.w1_of_sums,
            [sliced.sums(s, p) for s, p in zip(sets, planes, strict=True)],
            ess, comparison.plan, self.unit,
        )  # fmt: skip
        shape = (N_BINS + 2, N_BINS + 2)
        maps = [(m.sum(0) / m.sum()).reshape(shape)[1:-1, 1:-1] for m in masses]
        return Result(
            figures=figures,
            details={"model_outside": float(1.0 - maps[1].sum())},
            arrays={
                "edges_0": edges[0], "edges_1": edges[1],
                "reference": maps[0], "model": maps[1],
            },
        )  # fmt: skip


def divide_plane(
    comparison: Comparison,
) -> tuple[list[Array], list[Array], list[Array]]:
    """Return the frames in the plane, its grid, and the masses in its cells.

    Returns
    -------
    planes : of reference and model, (n_frames, 2) or more coordinates
    edges : along TIC 0 and TIC 1, over the reference's range
    masses : of reference and model, (n_blocks, (N_BINS + 2)^2), TIC 0 major; the rim
        is what lies beyond the grid
    """
    sets = (comparison.reference, comparison.model)
    planes = [project_all(s.positions, comparison.beads) for s in sets]
    edges = [shared_edges(planes[0][:, k], sets[0].weight, N_BINS) for k in (0, 1)]
    return (
        planes,
        edges,
        [_sum_cells(s, p, edges) for s, p in zip(sets, planes, strict=True)],
    )


def _sum_cells(one: WeightedSet, plane: Array, edges: list[Array]) -> Array:
    rows, columns = (bin_values(plane[:, k], edges[k]) for k in (0, 1))
    index = rows * (N_BINS + 2) + columns
    return sum_blocks(
        one.block, one.n_blocks, index[:, None], one.weight[:, None], (N_BINS + 2) ** 2
    )


class SlicedTransport:
    """Mean W1 of the projections on 16 directions evenly spread over a half circle."""

    def __init__(self, reference: Array, model: Array) -> None:
        angles = np.pi * np.arange(N_SLICES) / N_SLICES
        self.directions = np.stack([np.cos(angles), np.sin(angles)])
        sides = (reference @ self.directions, model @ self.directions)
        self.slices = [
            Transport(sides[0][:, [k]], sides[1][:, [k]], n_bins=N_SLICE_BINS)
            for k in range(N_SLICES)
        ]
        widths = [2 * (len(s.edges) - 1) for s in self.slices]
        self.cuts = np.concatenate([[0], np.cumsum(widths)])

    def sums(self, one: WeightedSet, plane: Array) -> Array:
        """Return the sums of all slices side by side, (n_blocks, n_columns)."""
        values = plane @ self.directions
        return np.hstack(
            [s.sums(one, values[:, [k]]) for k, s in enumerate(self.slices)]
        )

    def w1_of_sums(self, a: Array, b: Array, ess_a: float, ess_b: float) -> Array:
        """Return the sliced W1 of rows of sums, (n_rows,)."""
        each = [
            one.w1_of_sums(a[:, low:high], b[:, low:high], ess_a, ess_b)
            for one, low, high in zip(
                self.slices, self.cuts[:-1], self.cuts[1:], strict=True
            )
        ]
        return np.asarray(np.mean(each, axis=0))
