"""Block bootstrap over lineages and the floor of a comparison.

Frames of one lineage are correlated, so lineages and not frames are resampled.
Every quantity is first summed within each block; one bootstrap row is then a
product of resampling counts (n_rows, n_blocks) with those sums (n_blocks,
n_columns), and all rows are one matrix product.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from apps.science.arrays import Array, IntArray

Statistic = Callable[[Array, Array, float, float], Array]
"""(reference sums, model sums, reference ESS, model ESS) -> one number a row."""

MIN_BLOCKS = 8
MAX_BLOCKS = 256
N_TIME_BLOCKS = 20
N_HALVINGS = 32


@dataclass(frozen=True)
class Figure:
    """A number, its 95 % interval and what the reference gives against itself.

    ``bias`` is the mean of the bootstrap less the value: by about as much does
    the value itself exceed the truth, since a divergence of noisy sets is never 0.
    """

    value: float
    low: float
    high: float
    floor: float
    bias: float
    unit: str


@dataclass(frozen=True)
class Resampling:
    """How blocks are drawn; shared by all metrics so that they are comparable.

    Attributes
    ----------
    reference, model : (n_bootstrap, n_blocks), how often a row holds each block
    halves : (n_halvings, n_reference_blocks), 1 where a block is in the first half;
        no rows where the reference has a single block
    """

    reference: Array
    model: Array
    halves: Array


def plan_resampling(
    n_reference: int, n_model: int, n_bootstrap: int, seed: int
) -> Resampling:
    """Draw the bootstrap counts and the halvings of the reference's blocks."""
    rng = np.random.default_rng(seed)

    def draw(n_blocks: int) -> Array:
        even = np.full(n_blocks, 1.0 / n_blocks)
        return rng.multinomial(n_blocks, even, size=n_bootstrap).astype(float)

    n_rows = N_HALVINGS if n_reference > 1 else 0
    halves = np.zeros((n_rows, n_reference))
    for row in halves:
        row[rng.permutation(n_reference)[: n_reference // 2]] = 1.0
    return Resampling(draw(n_reference), draw(n_model), halves)


def assign_blocks(lineage: IntArray, time_ps: Array) -> IntArray:
    """Return each frame's block, 0..n_blocks-1.

    A block is a lineage. With fewer than 8 lineages (a few long walks) each is cut
    into stretches of equal frame number along time, about 20 in all; with more than
    256 lineages they are pooled at even distances.
    """
    _, block = np.unique(lineage, return_inverse=True)
    n_lineages = int(block.max()) + 1
    if n_lineages > MAX_BLOCKS:
        return np.asarray(block % MAX_BLOCKS)
    if n_lineages >= MIN_BLOCKS:
        return np.asarray(block)
    n_cuts = -(-N_TIME_BLOCKS // n_lineages)
    cut = np.empty(len(block), dtype=np.int64)
    for one in range(n_lineages):
        rows = np.flatnonzero(block == one)
        rows = rows[np.argsort(time_ps[rows], kind="stable")]
        cut[rows] = one * n_cuts + np.arange(len(rows)) * n_cuts // len(rows)
    return np.asarray(np.unique(cut, return_inverse=True)[1])


def sum_blocks(
    block: IntArray, n_blocks: int, index: IntArray, values: Array, n_columns: int
) -> Array:
    """Return (n_blocks, n_columns): ``values`` summed by block and column.

    Parameters
    ----------
    block : (n_frames,)
    index : (n_frames, k), the column of each value, below ``n_columns``
    values : (n_frames, k)
    """
    flat = (block[:, None] * n_columns + index).ravel()
    sums = np.bincount(flat, values.ravel(), minlength=n_blocks * n_columns)
    return np.asarray(sums.reshape(n_blocks, n_columns))


def few_blocks_factor(n_blocks: int) -> float:
    """Return by how much a bootstrap of few blocks is too narrow.

    It takes the spread of n blocks for the spread of all: too small by
    sqrt(1 - 1/n), and known no better than Student's t of n - 1 says.
    """
    from scipy import stats

    if n_blocks < 2:
        return float("inf")
    exact = stats.t.isf(0.025, n_blocks - 1) / stats.norm.isf(0.025)
    return float(exact / np.sqrt(1.0 - 1.0 / n_blocks))


def bound_value(
    value: float, rows: Array, n_blocks: int, excess: bool = False
) -> tuple[float, float]:
    """Return the 95 % interval of a value from its bootstrap.

    The 2.5 to 97.5 % range is moved by the bootstrap's bias so that it surrounds the
    value, and widened for few blocks.

    Parameters
    ----------
    rows : (n_bootstrap,), the value of each resampling
    n_blocks : of the set with fewer
    excess : whether noise only adds to the value, as it does to a distance: then the
        value itself lies above the truth by as much as the bootstrap above the value,
        and the interval reaches that much lower
    """
    rows = rows[np.isfinite(rows)]
    if not rows.size:
        return float("nan"), float("nan")
    bias = float(rows.mean()) - value
    low, high = np.percentile(rows, [2.5, 97.5]) - bias
    factor = few_blocks_factor(n_blocks)
    below = factor * max(0.0, value - float(low))
    above = factor * max(0.0, float(high) - value)
    return value - below - (max(0.0, bias) if excess else 0.0), value + above


def compare_blocks(
    statistic: Statistic,
    sums: Sequence[Array],
    ess: Sequence[float],
    plan: Resampling,
    unit: str,
) -> Figure:
    """Return a statistic of two sets of block sums with its interval and floor.

    The interval is ``bound_value``'s, cut at 0: every statistic here is a distance.
    How often such intervals hold the truth stands in docs/benchmark.md. The floor is
    the mean over random halvings of the reference's blocks.

    Parameters
    ----------
    sums : (n_reference_blocks, n_columns) and (n_model_blocks, n_columns)
    ess : effective sample sizes of reference and model
    """
    reference, model = sums
    n_reference, n_model = ess
    whole = statistic(reference.sum(0)[None], model.sum(0)[None], n_reference, n_model)
    value = float(whole[0])
    with np.errstate(divide="ignore", invalid="ignore"):  # a row may hold no weight
        rows = statistic(
            plan.reference @ reference, plan.model @ model, n_reference, n_model
        )
        halves = statistic(
            plan.halves @ reference,
            (1.0 - plan.halves) @ reference,
            max(1.0, n_reference / 2),
            max(1.0, n_reference / 2),
        )
    rows, halves = rows[np.isfinite(rows)], halves[np.isfinite(halves)]
    floor = float(halves.mean()) if halves.size else np.nan
    if not rows.size:
        return Figure(value, np.nan, np.nan, floor, np.nan, unit)
    low, high = bound_value(value, rows, min(len(reference), len(model)), excess=True)
    bias = float(rows.mean()) - value
    return Figure(value, max(0.0, low), high, floor, bias, unit)
