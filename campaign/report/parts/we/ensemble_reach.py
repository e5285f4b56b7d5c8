"""Where the walkers of a WE run went along their progress coordinates."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from matplotlib.ticker import MaxNLocator

from apps.science.arrays import Array
from campaign.report.kit import style
from campaign.report.kit.blocks import Picture
from campaign.report.kit.canvas import Canvas, above_axes, count_iterations
from campaign.report.parts.judged.landscape import AXES, Plane
from campaign.report.parts.learnt_source import LearntSource
from campaign.report.parts.we.history import History
from campaign.report.parts.we.iterations import Iteration
from campaign.telling import words

MAX_POINTS = 6000


def is_tica(source: LearntSource) -> bool:
    """Tell whether walkers were binned on the TICs, in whose plane the reference is."""
    pcoord = source.pcoord
    return pcoord is None or pcoord.kind == "tica"


def coordinate_names(source: LearntSource, n_dim: int) -> list[str]:
    """Return the name of each progress coordinate, as its kind gives it."""
    known: Sequence[str] = AXES if source.paths.tica.exists() else ()
    if source.pcoord is not None:
        known = source.pcoord.labels
    return [*known, *(f"coordinate {k}" for k in range(len(known), n_dim))][:n_dim]


def read_points(
    we_folder: Path, journal: list[Iteration]
) -> tuple[Array, Array, Array] | None:
    """Return where segments ended: pcoord (n, d), weight (n,), n_iter (n,).

    At most about ``MAX_POINTS``: iterations are passed over at even distances.
    """
    total = sum(iteration.n_segments for iteration in journal)
    stride = max(1, -(-total // MAX_POINTS))
    points: list[Array] = []
    weights: list[float] = []
    iterations: list[int] = []
    for iteration in journal[::-1][::stride][::-1]:
        ends = {shard: _read_ends(we_folder / shard) for shard in set(iteration.shards)}
        for shard, row, weight in zip(
            iteration.shards, iteration.rows, iteration.weights, strict=True
        ):
            found = ends[shard]
            if found is not None:
                points.append(found[row])
                weights.append(float(weight))
                iterations.append(iteration.n_iter)
    if not points:
        return None
    return np.array(points), np.array(weights), np.array(iterations, dtype=float)


def _read_ends(shard: Path) -> Array | None:
    """Return the last progress coordinate of each segment, (n_segments, n_dim)."""
    if not shard.exists():
        return None
    with h5py.File(shard, "r", locking=False) as h5:
        return np.asarray(h5["pcoord"][:, -1], dtype=float)


def draw_reach(
    history: History,
    reference: Plane | None,
    names: Sequence[str],
    canvas: Canvas,
) -> Picture:
    """Draw the extent of each progress coordinate per iteration, one row each."""
    n_iter, n_dim = history["n_iter"], history.n_dim
    numbers: dict[str, Any] = {"n_iter": n_iter}
    width, height = style.PANEL
    tall = max(height, 0.6 + 1.25 * n_dim)
    with canvas.stack(n_dim, (width, tall)) as (figure, rows):
        for k, axes in enumerate(rows):
            low, high = history[f"pcoord_{k}_min"], history[f"pcoord_{k}_max"]
            numbers |= {f"low_{k}": low, f"high_{k}": high}
            if reference is not None and k < 2:  # the plane's two coordinates
                ends = reference.range_of(k)
                numbers[f"reference_range_{k}"] = ends
                labels = ("reference, 99.9 %", None)
                for edge, label in zip(ends, labels, strict=True):
                    axes.axhline(
                        edge, color=style.BASELINE, ls=(0, (4, 3)), lw=1.2, label=label
                    )
            axes.fill_between(
                n_iter, low, high, color=style.FIRST, alpha=0.3, lw=0, label="walkers"
            )
            for line, label in (
                (np.fmin.accumulate(low), "farthest so far"),
                (np.fmax.accumulate(high), None),
            ):
                axes.plot(n_iter, line, color=style.FIRST, lw=1.2, label=label)
            axes.set_ylabel(names[k])
        count_iterations(rows[-1])
        above_axes(rows[0])
        return canvas.keep(
            figure,
            "we_reach",
            caption="Is sampling still reaching new ground? Filled: where walkers are; "
            "lines: the farthest so far.",
            alt="Extent of each progress coordinate by iteration",
            numbers=numbers,
        )


def draw_exploration(
    points: tuple[Array, Array, Array],
    reference: Plane | None,
    names: Sequence[str],
    canvas: Canvas,
) -> Picture:
    """Draw where segments ended over the density of the reference."""
    xy, weights, n_iter = points
    order = np.argsort(n_iter, kind="stable")
    caption = "Where did the walkers go? Each dot is the end of a segment, coloured by "
    caption += "iteration; "
    numbers: dict[str, Any] = {
        "columns": [*names[:2], "weight", "n_iter"],
        "rows": np.column_stack([xy[:, :2], weights, n_iter]),
    }
    with canvas.axes() as (figure, axes):
        if reference is not None:
            log_density = reference.log_density()
            axes.contourf(
                reference.centres(0), reference.centres(1), log_density.T,
                levels=[-6, -5, -4, -3, -2, -1, 0], cmap="Greys", vmin=-8, vmax=5,
            )  # fmt: skip
            seen, beyond = reference.coverage(xy[:, :2])
            caption += (
                "grey is the reference's density (a step is a factor e). They came to "
                f"{words.percent(seen)} of the area that the reference occupies, and "
                f"{words.percent(beyond)} of the ends lie outside it."
            )
            numbers |= {"share_of_reference_seen": seen, "share_outside": beyond}
        else:
            caption += "no reference is drawn: there is none in these coordinates."
        dots = axes.scatter(
            xy[order, 0], xy[order, 1], c=n_iter[order], s=8, lw=0, cmap="plasma",
            alpha=0.8, rasterized=True,
        )  # fmt: skip
        figure.colorbar(dots, ax=axes, label="iteration", pad=0.02, aspect=30,
                        ticks=MaxNLocator(integer=True))  # fmt: skip
        axes.set_xlabel(names[0])
        axes.set_ylabel(names[1])
        return canvas.keep(
            figure,
            "we_exploration",
            caption=caption,
            alt="Segment ends over the reference density in the plane of two slow "
            "coordinates",
            numbers=numbers,
        )
