"""Busy workers over time, stacked by stage, below the workers that were there."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.ticker import MaxNLocator

from campaign.report.kit import style
from campaign.report.kit.blocks import Picture
from campaign.report.kit.canvas import Canvas
from campaign.report.parts.run.ran_marks import IDLE, add_legend, mark_events, say_marks
from campaign.report.parts.run.ran_pools import Pool
from campaign.telling import words
from campaign.watching.timeline import DriverClock

N_BINS = 480


def draw_busy(
    pools: Sequence[Pool],
    colours: style.StageColours,
    clock: DriverClock,
    canvas: Canvas,
) -> Picture:
    """Draw the busy workers of each pool over time; ``colours`` are of the stages."""
    whole = clock.offsets[-1]
    unit, size = words.time_unit(whole)
    edges = np.linspace(0.0, whole, N_BINS + 1)
    numbers: dict[str, Any] = {"edges_s": edges}
    steps = [1, 2, 2.5, 5, 10]
    height = 1.35 + (1.9 if len(pools) == 1 else 1.45 * len(pools))
    with canvas.stack(len(pools), (style.WIDE_INCH, height)) as (figure, rows):
        for axes, pool in zip(rows, pools, strict=True):
            there = pool.there.means(edges)
            numbers[pool.name] = {"there": there}
            axes.stairs(there, edges / size, fill=True, color=IDLE, lw=0)
            base = np.zeros(N_BINS)
            for stage in (s for s in colours if s in pool.busy):
                means = pool.busy[stage].means(edges)
                axes.stairs(base + means, edges / size, baseline=base, fill=True,
                            color=colours[stage], lw=0)  # fmt: skip
                numbers[pool.name][stage] = means
                base = base + means
            axes.stairs(there, edges / size, color=style.INK, lw=1.1)
            axes.set_ylim(0, 1.12 * max(1.0, pool.there.most))
            axes.set_xlim(0, whole / size)
            axes.yaxis.set_major_locator(
                MaxNLocator(4, steps=steps, integer=True, min_n_ticks=1)
            )
            axes.set_ylabel("workers" if len(pools) == 1 else f"{pool.name}, workers")
            mark_events(axes, clock, pool, size)
        add_legend(rows[0], list(colours), colours)
        rows[-1].set_xlabel(f"time since the start, {unit}")
        return canvas.keep(
            figure,
            "workers_busy",
            caption="How many workers were busy, and with what? Black line: workers "
            "that were there; grey below it: idle. Each step is the mean of "
            f"{words.wall_time(whole / N_BINS)}. The time of a task cut short with its "
            f"worker is not noted and shows as idle.{say_marks(clock, pools)}",
            alt="Busy workers over time by stage, below the number of workers",
            numbers=numbers,
            wide=True,
        )
