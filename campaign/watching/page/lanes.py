"""The worker timeline of the page: one row a worker, its tasks as bars."""

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from campaign.telling.colours import APP_COLOURS
from campaign.telling.words import duration
from campaign.watching.timeline import DriverClock, Interval, Task, merge

MOST_ROWS = 32
PIXELS = 1000.0
"""Units of a row's width in the drawing."""


@dataclass(frozen=True)
class Bar:
    """A stretch of time, in units of the drawing."""

    x: float
    width: float
    colour: str
    title: str


@dataclass(frozen=True)
class Row:
    """One worker, or one task that runs now."""

    label: str
    detail: str
    bars: list[Bar]
    now: bool = False


@dataclass(frozen=True)
class Timeline:
    """What is drawn: rows, colours, ticks as (share of the width, label)."""

    rows: list[Row]
    legend: list[tuple[str, str]]
    ticks: list[tuple[float, str]]
    hidden: int
    resumes: list[float]


def draw_timeline(
    tasks: Sequence[Task],
    running: Sequence[dict[str, Any]],
    starts: Sequence[Interval],
    window_s: float | None = None,
) -> Timeline | None:
    """Return the rows of the timeline, None before any task.

    Parameters
    ----------
    running
        Tasks that run now: app, role, stage, since. Parsl does not tell which worker
        has them, so they get rows of their own.
    starts
        When each driver lived; pauses are cut out.
    window_s
        Show only the last so many seconds.
    """
    clock = DriverClock(starts)
    end = clock.offsets[-1]
    begin = max(0.0, end - window_s) if window_s else 0.0
    span = end - begin
    if span <= 0 or not (tasks or running):
        return None
    colours = _colours([t.app for t in tasks] + [str(t["app"]) for t in running])
    shown: dict[str, list[tuple[float, float, Task]]] = {}
    for task in tasks:
        a, b = clock.read(task.started), clock.read(task.ended)
        if b >= begin:
            shown.setdefault(task.worker, []).append((a, b, task))
    rows = [
        _row(worker, spans, begin, span, colours)
        for worker, spans in list(shown.items())[-MOST_ROWS:]
    ]
    rows += [
        _running_row(t, clock.read(t["since"]), begin, span, colours)
        for t in running[:MOST_ROWS]
    ]
    if not rows:
        return None
    used = {bar.colour for row in rows for bar in row.bars}
    return Timeline(
        rows,
        [(app, colour) for app, colour in colours.items() if colour in used],
        _ticks(begin, span),
        max(0, len(shown) - MOST_ROWS) + max(0, len(running) - MOST_ROWS),
        [PIXELS * (r - begin) / span for r in clock.resumes if r > begin],
    )


def _colours(apps: Iterable[str]) -> dict[str, str]:
    return dict(zip(dict.fromkeys(apps), itertools.cycle(APP_COLOURS)))


def _row(
    worker: str,
    spans: list[tuple[float, float, Task]],
    begin: float,
    span: float,
    colours: dict[str, str],
) -> Row:
    gap = span / PIXELS  # what is nearer than a pixel is one bar
    bars = []
    for app in dict.fromkeys(t.app for _, _, t in spans):
        joined = merge(
            (max(a, begin), b + gap) for a, b, t in spans if t.app == app and b > begin
        )
        bars += [
            Bar(
                PIXELS * (a - begin) / span,
                max(1.0, PIXELS * (b - gap - a) / span),
                colours[app],
                f"{app}, {duration(b - gap - a)}",
            )
            for a, b in joined
        ]
    first = spans[0][2]
    return Row(f"{first.role} · {first.pid}", worker, bars)


def _running_row(
    task: dict[str, Any],
    since: float,
    begin: float,
    span: float,
    colours: dict[str, str],
) -> Row:
    x = PIXELS * (max(since, begin) - begin) / span
    title = f"{task['app']} ({task['stage']}), running"
    bar = Bar(x, max(2.0, PIXELS - x), colours[str(task["app"])], title)
    return Row(f"{task['role']} · now", title, [bar], now=True)


def _ticks(begin: float, span: float) -> list[tuple[float, str]]:
    step = next(
        (s for s in (10, 30, 60, 120, 300, 600, 1800, 3600, 7200, 14400, 43200)
         if span / s <= 7),
        86400,
    )  # fmt: skip
    first = int(begin // step) + (1 if begin % step else 0)
    marks = itertools.takewhile(
        lambda t: t <= begin + span, (n * step for n in itertools.count(first))
    )
    return [((t - begin) / span, _clock(t, step)) for t in marks]


def _clock(seconds: float, step: int) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if step >= 3600:
        return f"{hours} h"
    if hours:
        return f"{hours}:{minutes:02d} h"
    return f"{minutes}:{rest:02d}" if step < 60 else f"{minutes} min"
