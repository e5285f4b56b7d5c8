"""What both pictures of the workers share: colours, legend, marks of what befell."""

from collections.abc import Sequence
from typing import Any

from campaign.report.kit import style
from campaign.report.kit.canvas import make_room, mark_resumes
from campaign.report.parts.run.ran_pools import Pool
from campaign.watching.timeline import DriverClock

IDLE = "#d9dee4"
FAILED = style.INK
MOST_NAMED = 14
"""Stages that a legend names one by one; of more, their kinds."""


def mark_events(axes: Any, clock: DriverClock, pool: Pool, size: float) -> None:
    """Mark when the run was resumed, and when blocks of the pool were lost.

    Parameters
    ----------
    size
        The axis counts in so many seconds.
    """
    mark_resumes(axes, (at / size for at in clock.resumes))
    for at in _lost_at(clock, [pool]):
        axes.axvline(at / size, color=style.INK, lw=0.8, ls=(0, (4, 3)))
        axes.plot([at / size], [1.0], "v", color=style.INK, ms=6, clip_on=False,
                  transform=axes.get_xaxis_transform())  # fmt: skip


def say_marks(clock: DriverClock, pools: Sequence[Pool]) -> str:
    """Return what the marks mean, as the end of a caption."""
    said = ""
    if clock.resumes:
        said += " Dotted: the run was resumed; pauses are cut out."
    if _lost_at(clock, pools):
        said += " \N{BLACK DOWN-POINTING TRIANGLE} and dashed: a block was lost."
    return said


def add_legend(
    axes: Any,
    stages: Sequence[str],
    colours: style.StageColours,
    *,
    failed: bool = False,
) -> None:
    """Name the colours above the axes."""
    from matplotlib.patches import Patch

    named = {s: s.replace("_", " ") for s in stages}
    if len(named) > MOST_NAMED:  # by kind then
        kinds = {colours.kinds[s]: s for s in reversed(stages)}
        named = {s: kind for kind, s in reversed(kinds.items())}
    handles = [Patch(color=colours[s], label=label) for s, label in named.items()]
    if failed:
        handles.append(Patch(color=FAILED, label="failed"))
    handles.append(Patch(color=IDLE, label="idle"))
    axes.legend(
        handles=handles, loc="lower left", bbox_to_anchor=(0, 1),
        ncols=make_room(axes, [str(h.get_label()) for h in handles], 7),
        borderaxespad=0.8, handlelength=1, columnspacing=1.4,
    )  # fmt: skip


def _lost_at(clock: DriverClock, pools: Sequence[Pool]) -> list[float]:
    return [clock.read(b.ended) for p in pools for b in p.blocks if b.lost]
