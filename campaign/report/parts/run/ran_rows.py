"""What each worker did over time: one row a worker, coloured by stage."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.colors import to_rgb

from apps.science.arrays import Array
from campaign.report.kit import style
from campaign.report.kit.blocks import Picture
from campaign.report.kit.canvas import Canvas
from campaign.report.parts.run.ran_lanes import Lane
from campaign.report.parts.run.ran_marks import (
    FAILED,
    IDLE,
    add_legend,
    mark_events,
    say_marks,
)
from campaign.report.parts.run.ran_pools import Pool
from campaign.report.parts.run.ran_steps import Steps
from campaign.telling import words
from campaign.watching.timeline import DriverClock, merge

N_PIXELS = 1800
"""Of a row: each has the mean colour of its time, so that no idle time is hidden."""
MOST_LANES = 800
MOST_NAMED = 24
ROW_INCH = 0.3
POOL_INCH = 4.5


def draw_rows(
    pools: Sequence[Pool],
    colours: style.StageColours,
    clock: DriverClock,
    canvas: Canvas,
) -> Picture:
    """Draw what each worker did; ``colours`` are of the stages."""
    whole = clock.offsets[-1]
    unit, size = words.time_unit(whole)
    shown = [pool.lanes[:MOST_LANES] for pool in pools]
    hidden = sum(len(p.lanes) for p in pools) - sum(map(len, shown))
    heights = [min(POOL_INCH, ROW_INCH * max(1, len(lanes))) for lanes in shown]
    failed = not all(t.ok for lanes in shown for lane in lanes for t in lane.tasks)
    numbers = []
    tall = 1.2 + sum(heights) + 0.15 * len(pools)
    with canvas.stack(len(pools), (style.WIDE_INCH, tall), heights) as (figure, rows):
        for axes, pool, lanes in zip(rows, pools, shown, strict=True):
            _draw_pool(axes, lanes, colours, whole, size)
            _name_rows(axes, pool.name, len(lanes))
            mark_events(axes, clock, pool, size)
            numbers += [
                [f"{pool.name} {row}", *bar]
                for row, lane in enumerate(lanes, 1)
                for bar in _join_bars(lane, whole / N_PIXELS)
            ]
        add_legend(rows[0], list(colours), colours, failed=failed)
        rows[-1].set_xlabel(f"time since the start, {unit}")
        more = f" {hidden:,} more workers are not shown." if hidden else ""
        return canvas.keep(
            figure,
            "workers",
            caption="What did each worker do? One row a worker; one that took the "
            "place of another goes on in its row. Grey: idle; white: no worker was "
            "there. Pale: tasks and pauses too short to be told apart."
            f"{say_marks(clock, pools)}{more}",
            alt="Timeline of the tasks of every worker",
            numbers={
                "joined_where_nearer_than_s": whole / N_PIXELS,
                "columns": ["worker", "stage", "start_s", "end_s"],
                "rows": numbers,
            },
            wide=True,
        )


def _draw_pool(
    axes: Any, lanes: Sequence[Lane], colours: dict[str, str], whole: float, size: float
) -> None:
    """Draw the rows as pixels: the first lane is on top."""
    edges = np.linspace(0.0, whole, N_PIXELS + 1)
    spaced = len(lanes) <= MOST_NAMED
    bands = [[lane] for lane in lanes] if spaced else [lanes]
    for row, band in enumerate(bands):
        pixels = np.array([mix_colours(lane, colours, edges) for lane in band])
        low, high = (row + 0.39, row - 0.39) if spaced else (len(lanes) - 0.5, -0.5)
        axes.imshow(
            pixels, extent=(0.0, whole / size, low, high), aspect="auto",
            interpolation="nearest", zorder=2,
        )  # fmt: skip
    axes.set_xlim(0, whole / size)
    axes.set_ylim(len(lanes) - 0.4, -0.6)
    axes.grid(visible=False, axis="y")
    axes.tick_params(axis="y", length=0)


def mix_colours(lane: Lane, colours: dict[str, str], edges: Array) -> Array:
    """Return the mean colour of a worker between ``edges``, (n, 3) in 0..1.

    Stages, idle and not there have their part in it by their time.
    """
    spans: dict[str, list[tuple[float, float, float]]] = {}
    for task in lane.tasks:
        colour = colours[task.stage] if task.ok else FAILED
        spans.setdefault(colour, []).append((task.started, task.ended, 1.0))
    mixed = np.zeros((len(edges) - 1, 3))
    busy = np.zeros(len(edges) - 1)
    for colour, times in spans.items():
        share = Steps.of(times).means(edges)
        mixed += share[:, None] * to_rgb(colour)
        busy += share
    there = Steps.of((a, b, 1.0) for a, b in lane.lives).means(edges)
    idle = np.clip(there - busy, 0.0, 1.0)
    mixed += idle[:, None] * to_rgb(IDLE)
    mixed += np.clip(1.0 - busy - idle, 0.0, 1.0)[:, None]
    found: Array = np.clip(mixed, 0.0, 1.0)
    return found


def _name_rows(axes: Any, pool: str, n_lanes: int) -> None:
    """Name each row where there is room, else every tenth or hundredth."""
    every = 1 if n_lanes <= MOST_NAMED else 10 if n_lanes <= 240 else 100
    numbers = [1, *range(every, n_lanes + 1, every)] if every > 1 else [
        *range(1, n_lanes + 1)
    ]  # fmt: skip
    axes.set_yticks([n - 1 for n in numbers], [f"{pool} {n}" for n in numbers])


def _join_bars(lane: Lane, gap: float) -> list[list[Any]]:
    """Return stage, start and end of the tasks, joined where nearer than ``gap``."""
    spans: dict[str, list[tuple[float, float]]] = {}
    for task in lane.tasks:
        name = task.stage if task.ok else f"{task.stage}, failed"
        spans.setdefault(name, []).append((task.started, task.ended + gap))
    return [[name, a, b - gap] for name in spans for a, b in merge(spans[name])]
