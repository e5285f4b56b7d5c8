"""The weighted-ensemble run: walkers, weights, and where it went in TIC space."""

import math
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from apps.science.arrays import Array
from apps.science.statistics import effective_sample_size
from campaign.report import style, words
from campaign.report.blocks import Facts, Gallery, Note, Picture, Section
from campaign.report.canvas import Canvas, above_axes
from campaign.report.landscape import AXES, Plane, read_planes
from campaign.report.sources import RunSource

MAX_POINTS = 6000
BURN_IN_SHARE = 0.25


def weighted_ensemble(source: RunSource, canvas: Canvas) -> Section:
    """Show how the sampling run went."""
    section = Section(
        "ensemble",
        "The weighted-ensemble run",
        "Did the walkers spread, did their weights stay healthy, and did they see "
        "what the reference saw?",
    )
    journal = source.journal
    if not journal:
        section.blocks.append(
            Note("The sample stage has not closed an iteration yet.", "missing")
        )
        return section
    history = read_history(journal)
    section.blocks.append(Facts(ensemble_facts(source, history)))
    section.blocks.append(
        Gallery([draw_walkers(history, canvas), draw_weights(history, canvas)])
    )
    reference = read_planes(source, []).get("reference")
    points = read_points(source.paths.we, journal)
    pictures = []
    if np.isfinite(history["reach"]).any():
        pictures.append(draw_reach(history, reference, AXES[0], canvas))
    if points is not None and points[0].shape[1] > 1:
        pictures.append(draw_exploration(points, reference, AXES, canvas))
    if pictures:
        section.blocks.append(Gallery(pictures))
    else:
        section.blocks.append(
            Note("The shards hold no progress coordinates.", "missing")
        )
    return section


def read_history(journal: list[dict[str, Any]]) -> dict[str, Array]:
    """Return per-iteration columns; what a summary lacks is computed or NaN."""
    rows: dict[str, list[float]] = {
        k: [] for k in ("n_iter", "walkers", "bins", "min", "max", "ess", "wall_s")
    }
    reach: list[list[float]] = []
    for record in journal:
        summary = record.get("summary") or {}
        weights = np.array([s["weight"] for s in record["segments"]], dtype=float)
        rows["n_iter"].append(record["n_iter"])
        rows["walkers"].append(len(weights))
        rows["bins"].append(_number(summary.get("n_bins_occupied")))
        rows["min"].append(weights.min())
        rows["max"].append(weights.max())
        rows["ess"].append(effective_sample_size(weights))
        rows["wall_s"].append(_number(summary.get("wall_s")))
        low, high = summary.get("pcoord_min"), summary.get("pcoord_max")
        reach.append([low[0], high[0]] if low and high else [math.nan, math.nan])
    columns = {name: np.array(values, dtype=float) for name, values in rows.items()}
    columns["reach"] = np.array(reach, dtype=float)
    return columns


def ensemble_facts(
    source: RunSource, history: dict[str, Array]
) -> list[tuple[str, str]]:
    """Return the run in numbers."""
    n_iter = len(history["n_iter"])
    n_segments = int(history["walkers"].sum())
    late = history["ess"][int(BURN_IN_SHARE * n_iter) :]
    rows = [
        ("Iterations closed", f"{n_iter:,}"),
        ("Segments", f"{n_segments:,}"),
        ("Walkers in the last iteration", f"{int(history['walkers'][-1]):,}"),
        (
            "Effective walkers (last three quarters)",
            f"{words.number(float(np.median(late)))} in the median",
        ),
        (
            "Smallest and largest weight",
            f"{words.number(float(history['min'].min()))} and "
            f"{words.number(float(history['max'].max()))}",
        ),
    ]
    picoseconds = segment_ps(source.config)
    if picoseconds:
        total = words.simulated(n_segments * picoseconds)
        each = words.simulated(picoseconds)
        rows.insert(2, ("Simulated time", f"{total} in segments of {each}"))
    return rows


def segment_ps(config: dict[str, Any]) -> float | None:
    """Return the segment length of the sampling run, ps, where it is configured."""
    sample = config.get("sample")
    if not isinstance(sample, dict):
        return None
    for part in (sample, *[v for v in sample.values() if isinstance(v, dict)]):
        for key, size in (("segment_length_ps", 1.0), ("segment_length_fs", 1e-3),
                          ("segment_ps", 1.0), ("segment_fs", 1e-3)):  # fmt: skip
            if isinstance(part.get(key), int | float):
                return float(part[key]) * size
    return None


def read_points(
    we_folder: Path, journal: list[dict[str, Any]]
) -> tuple[Array, Array, Array] | None:
    """Return where segments ended: pcoord (n, d), weight (n,), n_iter (n,).

    At most about ``MAX_POINTS``: iterations are passed over at even distances.
    """
    total = sum(len(r["segments"]) for r in journal)
    stride = max(1, -(-total // MAX_POINTS))
    points: list[Array] = []
    weights: list[float] = []
    iterations: list[int] = []
    for record in journal[::-1][::stride][::-1]:
        cache: dict[str, Array] = {}
        for segment in record["segments"]:
            shard = str(segment["shard"])
            if shard not in cache:
                path = we_folder / shard
                if not path.exists():
                    continue
                with h5py.File(path, "r", locking=False) as h5:
                    cache[shard] = np.asarray(h5["pcoord"][:, -1], dtype=float)
            points.append(cache[shard][segment["row"]])
            weights.append(segment["weight"])
            iterations.append(record["n_iter"])
    if not points:
        return None
    return np.array(points), np.array(weights), np.array(iterations, dtype=float)


def draw_walkers(history: dict[str, Array], canvas: Canvas) -> Picture:
    """Draw walkers, occupied bins and effective walkers per iteration."""
    n_iter = history["n_iter"]
    with canvas.axes() as (figure, axes):
        axes.plot(n_iter, history["walkers"], color=style.WEIGHTED, label="walkers")
        if np.isfinite(history["bins"]).any():
            axes.plot(n_iter, history["bins"], color="#0072b2", ls="--",
                      label="occupied bins")  # fmt: skip
        axes.plot(n_iter, history["ess"], color=style.UNWEIGHTED, ls="-.",
                  label="effective walkers (ESS)")  # fmt: skip
        axes.set_ylim(bottom=0)
        axes.set_xlabel("iteration")
        axes.set_ylabel("number")
        above_axes(axes)
        return canvas.keep(
            figure,
            "we_walkers",
            caption="Did the ensemble spread over bins, and how many walkers carry the "
            "weight? ESS = (Σw)²/Σw²: one heavy walker makes it 1.",
            alt="Walkers, occupied bins and effective sample size by iteration",
            numbers={k: history[k] for k in ("n_iter", "walkers", "bins", "ess")},
        )


def draw_weights(history: dict[str, Array], canvas: Canvas) -> Picture:
    """Draw the range of weights per iteration."""
    n_iter = history["n_iter"]
    with canvas.axes() as (figure, axes):
        low = np.maximum(history["min"], 1e-300)
        axes.fill_between(n_iter, low, history["max"], color=style.WEIGHTED, alpha=0.18,
                          lw=0)  # fmt: skip
        axes.plot(n_iter, history["max"], color=style.WEIGHTED, label="largest")
        axes.plot(n_iter, low, color=style.WEIGHTED, ls="--", label="smallest")
        axes.plot(n_iter, 1 / history["walkers"], color=style.QUIET, lw=1.2, ls=":",
                  label="even weights")  # fmt: skip
        axes.set_yscale("log")
        axes.set_xlabel("iteration")
        axes.set_ylabel("weight of a walker")
        above_axes(axes)
        return canvas.keep(
            figure,
            "we_weights",
            caption="How far do the weights spread? A wide range is how a weighted "
            "ensemble reaches rare states; training must then handle it.",
            alt="Smallest and largest weight by iteration",
            numbers={k: history[k] for k in ("n_iter", "min", "max")},
        )


def draw_reach(
    history: dict[str, Array], reference: Plane | None, name: str, canvas: Canvas
) -> Picture:
    """Draw the range of the first progress coordinate per iteration."""
    n_iter, reach = history["n_iter"], history["reach"]
    numbers: dict[str, Any] = {
        "n_iter": n_iter,
        "low": reach[:, 0],
        "high": reach[:, 1],
    }
    with canvas.axes() as (figure, axes):
        if reference is not None:
            low, high = reference.range_of_first()
            for k, edge in enumerate((low, high)):
                axes.axhline(edge, color=style.REFERENCE, ls=(0, (4, 3)), lw=1.2,
                             label=None if k else "reference, 99.9 %")  # fmt: skip
            numbers["reference_range"] = [low, high]
        axes.fill_between(n_iter, reach[:, 0], reach[:, 1], color=style.WEIGHTED,
                          alpha=0.3, lw=0, label="walkers")  # fmt: skip
        best = (np.minimum.accumulate(reach[:, 0]), np.maximum.accumulate(reach[:, 1]))
        for line in best:
            axes.plot(n_iter, line, color=style.WEIGHTED, lw=1.2)
        axes.set_xlabel("iteration")
        axes.set_ylabel(name)
        above_axes(axes)
        return canvas.keep(
            figure,
            "we_reach",
            caption="Is sampling still reaching new ground? Filled: where walkers are; "
            "lines: the farthest so far.",
            alt="Range of the first progress coordinate by iteration",
            numbers=numbers,
        )


def draw_exploration(
    points: tuple[Array, Array, Array],
    reference: Plane | None,
    names: tuple[str, str],
    canvas: Canvas,
) -> Picture:
    """Draw where segments ended over the density of the reference."""
    xy, weights, n_iter = points
    order = np.argsort(n_iter, kind="stable")
    caption = "Where did the walkers go? Each dot is the end of a segment, coloured by "
    caption += "iteration; "
    numbers: dict[str, Any] = {
        "columns": [*names, "weight", "n_iter"],
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
            caption += "no reference is drawn: it is not made in these coordinates."
        dots = axes.scatter(
            xy[order, 0], xy[order, 1], c=n_iter[order], s=8, lw=0, cmap="plasma",
            alpha=0.8, rasterized=True,
        )  # fmt: skip
        figure.colorbar(dots, ax=axes, label="iteration", pad=0.02, aspect=30)
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


def _number(value: Any) -> float:
    return float(value) if isinstance(value, int | float) else math.nan
