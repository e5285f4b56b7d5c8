"""How the work of a WE run went: segment times, idle slots, blocks sent again."""

import numpy as np

from apps.science.arrays import Array
from campaign.report.kit import style
from campaign.report.kit.blocks import Picture
from campaign.report.kit.canvas import Canvas, above_axes, count_iterations
from campaign.report.parts.we.history import History
from campaign.telling import words

WIDE_RANGE = 20.0
"""Times that differ by more than this factor are drawn on a log axis."""


def work_facts(history: History) -> list[tuple[str, str]]:
    """Return time per segment, idle share and blocks, as far as they are known."""
    rows = []
    if history.knows("segment_s_median"):
        median = float(np.nanmedian(history["segment_s_median"]))
        late = float(np.nanmedian(history["segment_s_p95"]))
        longest = float(np.nanmax(history["segment_s_max"]))
        rows.append(
            (
                "Wall time per segment",
                f"{words.wall_time(median)} in the median, 95 % under "
                f"{words.wall_time(late)}; the longest took {words.wall_time(longest)}",
            )
        )
    if history.knows("idle_share"):
        slots = words.count(int(np.nanmax(history["n_slots"])), "slot")
        rows.append(("Idle", f"{words.percent(idle(history))} of the time of {slots}"))
    if history.knows("n_blocks"):
        total, rerun, restored = (
            int(np.nansum(history[name]))
            for name in ("n_blocks", "n_blocks_rerun", "n_blocks_restored")
        )
        text = f"{total:,} in all, {rerun:,} sent again after a failure, {restored:,} "
        rows.append(("Blocks", text + "found on disk after a stop"))
    return rows


def idle(history: History) -> float:
    """Return the idle share of the whole run, iterations weighted by their time."""
    share, weight = history["idle_share"], history["propagate_s"]
    known = np.isfinite(share)
    weight = np.where(np.isfinite(weight), weight, 0.0)[known]
    if weight.sum() <= 0:
        return float(share[known].mean())
    return float(np.average(share[known], weights=weight))


def draw_segment_times(history: History, canvas: Canvas) -> Picture:
    """Draw the distribution of wall time per segment."""
    n_iter = history["n_iter"]
    names = ("min", "median", "p95", "max")
    columns = [history[f"segment_s_{name}"] for name in names]
    unit, scale = ("ms", 1e3) if np.nanmax(columns[-1]) < 1.0 else ("s", 1.0)
    low, middle, late, high = (scale * column for column in columns)
    with canvas.axes() as (figure, axes):
        axes.fill_between(
            n_iter, low, high, color=style.FIRST, alpha=0.18, lw=0, label="all"
        )
        axes.plot(
            n_iter, late, color=style.FIRST, ls="--", lw=1.3, label="95 % are under"
        )
        axes.plot(n_iter, middle, color=style.FIRST, label="median")
        if _spread(low, high) > WIDE_RANGE:
            axes.set_yscale("log")
        else:
            axes.set_ylim(bottom=0)
        count_iterations(axes)
        axes.set_ylabel(f"wall time per segment, {unit}")
        above_axes(axes)
        return canvas.keep(
            figure,
            "we_segment_times",
            caption="Do all segments cost the same? A long upper end is a straggler: "
            "the others wait for it at the end of the iteration. A segment's time is "
            "that of its block over the block's segments.",
            alt="Least, median, 95th percentile and most wall time per segment by "
            "iteration",
            numbers={"n_iter": n_iter}
            | {f"{name}_s": history[f"segment_s_{name}"] for name in names},
        )


def draw_idle(history: History, canvas: Canvas) -> Picture:
    """Draw the idle share of the slots; mark blocks sent again or found on disk."""
    n_iter, share = history["n_iter"], 100 * history["idle_share"]
    mean = 100 * idle(history)
    with canvas.axes() as (figure, axes):
        axes.bar(
            n_iter, share, width=0.85, color=style.FIRST, alpha=0.45, lw=0, label="idle"
        )
        axes.axhline(mean, color=style.FIRST, lw=1.4, label="mean")
        for name, label, marker, colour in (
            ("n_blocks_rerun", "sent again", "v", style.SECOND),
            ("n_blocks_restored", "found on disk", "s", "#0072b2"),
        ):
            at = n_iter[history[name] > 0]
            if len(at):
                height = np.full(len(at), 0.96)  # of the axes
                axes.plot(at, height, marker, color=colour, ms=5, label=label,
                          transform=axes.get_xaxis_transform())  # fmt: skip
        axes.set_ylim(0, max(10.0, 1.25 * float(np.nanmax(share))))
        axes.set_xlim(n_iter[0] - 0.8, n_iter[-1] + 0.8)
        count_iterations(axes)
        axes.set_ylabel("idle share of the slots, %")
        above_axes(axes)
        return canvas.keep(
            figure,
            "we_idle",
            caption="How much of the workers' time is lost to waiting within "
            "propagation? Marks: blocks that were sent again after a failure, or found "
            "on disk after a stop; such an iteration has no share.",
            alt="Idle share of the worker slots by iteration",
            numbers={
                "n_iter": n_iter, "idle_share": history["idle_share"],
                "mean": mean / 100, "n_slots": history["n_slots"],
                "n_blocks": history["n_blocks"],
                "n_blocks_rerun": history["n_blocks_rerun"],
                "n_blocks_restored": history["n_blocks_restored"],
            },
        )  # fmt: skip


def _spread(low: Array, high: Array) -> float:
    least, most = float(np.nanmin(low)), float(np.nanmax(high))
    return most / least if least > 0 else 1.0
