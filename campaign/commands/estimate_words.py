"""The estimate of a campaign in words: what ``weft validate`` ends with."""

import math
from collections.abc import Sequence
from pathlib import Path

from rich.table import Table
from rich.text import Text

from apps.science.disk import free_bytes, say_bytes
from campaign.commands.probe import Rates
from campaign.estimate.work import MINUTES, Work, total_bytes
from campaign.telling.words import about, number
from site_configs.checks.fit import usable_seconds
from site_configs.pools.capacity import count_workers
from site_configs.schema import Site

NARROW = 84
"""Columns below which a table of six would be cut off."""


def stage_seconds(work: Work, rates: Rates, site: Site) -> float | None:
    """Return how long a stage takes on the site with all its workers, s, at most."""
    unit = rates.seconds.get(work.kind)
    if work.unit == MINUTES:
        return work.limit_s
    if unit is None:
        return None
    workers = count_workers(site, work.role)
    took = unit * work.amount / max(1, min(work.side_by_side, workers))
    return min(took, work.limit_s) if work.limit_s else took


def make_table(
    works: Sequence[Work], site: Site, rates: Rates | None, width: int
) -> Table:
    """Return the stages with what they do and keep, at most.

    Where columns would be cut off, what a stage does stands in one line instead.
    """
    if width < NARROW:
        return _make_list(works, site, rates, width)
    table = Table(title="What it will do, at most", title_justify="left", width=width)
    table.add_column("stage", no_wrap=True)
    for heading in ("work", "simulated", "atoms", "frames", "disk"):
        table.add_column(heading, justify="right")
    if rates is not None:
        table.add_column("time here", justify="right")
    for work in works:
        cells = [work.stage, *_cells(work, site, rates)]
        table.add_row(*(Text(cell) for cell in cells))
    return table


def _cells(work: Work, site: Site, rates: Rates | None) -> list[str]:
    """Return what a stage does, in the order of the columns; empty for nothing."""
    cells = [
        _say_amount(work),
        f"{number(work.simulated_ns)} ns" if work.simulated_ns else "",
        f"{work.n_particles:,}" if work.n_particles else "",
        f"{work.n_frames:,}" if work.n_frames else "",
        say_bytes(work.n_bytes) if work.n_bytes else "",
    ]
    if rates is not None:
        took = stage_seconds(work, rates, site)
        cells.append("not measured" if took is None else about(took))
    return cells


def _make_list(
    works: Sequence[Work], site: Site, rates: Rates | None, width: int
) -> Table:
    table = Table(
        title="What it will do, at most", title_justify="left", width=width, box=None,
        show_header=False, padding=(0, 2, 0, 0), pad_edge=False,
    )  # fmt: skip
    table.add_column(overflow="fold")
    table.add_column(ratio=1, overflow="fold")
    for work in works:
        amount, simulated, atoms, frames, disk, *took = _cells(work, site, rates)
        said = [
            amount, simulated if simulated != amount else "",
            f"{atoms} atoms" if atoms else "",
            f"{frames} frames" if frames else "", disk, *took,
        ]  # fmt: skip
        table.add_row(Text(work.stage), Text(", ".join(filter(None, said))))
    return table


def list_lines(
    works: Sequence[Work], site: Site, runs: Path, rates: Rates | None
) -> list[str]:
    """Return what stands below the table, a line each."""
    lines = [f"Disk: {say_disk(works, runs)}."]
    if rates is not None:
        lines += say_rates(works, rates, site)
    return lines


def say_rates(works: Sequence[Work], rates: Rates, site: Site) -> list[str]:
    """Return the time in all, what does not fit a block, and what failed."""
    lines = []
    known = [t for w in works if (t := stage_seconds(w, rates, site)) is not None]
    workers = {w.role: count_workers(site, w.role) for w in works}
    told = ", ".join(f"{n} for {role}" for role, n in workers.items())
    lines.append(
        f"Time: about {about(math.fsum(known))} at most once the workers are there "
        f"({told}); waits in a queue come on top."
    )
    for work in works:
        unit = rates.seconds.get(work.kind)
        usable = usable_seconds(site, work.role)
        if work.limit_s:
            one = stage_seconds(work, rates, site)
        elif unit is not None:
            one = unit * work.amount / (work.n_tasks or work.amount)
        else:
            one = None
        if one is None or not math.isfinite(usable):
            continue
        if one > usable:
            lines.append(
                f"  {work.stage}: one task takes about {about(one)}, and a block "
                f"gives it {about(usable)}; it goes on in the next block from what "
                "it has kept, or raise the walltime in the site file."
            )
    if rates.failure:
        lines.append(f"The probe did not come to its end: {rates.failure}")
    return lines


def say_disk(works: Sequence[Work], runs: Path) -> str:
    """Return what is needed and free, as a clause."""
    needed = total_bytes(works)
    try:
        free = free_bytes(runs)
    except OSError:
        return f"about {say_bytes(needed)} at most"
    words = f"about {say_bytes(needed)} at most; {say_bytes(free)} are free"
    if needed > free:
        words += ". TOO LITTLE: free some space, or name another place with --runs"
    return words


def _say_amount(work: Work) -> str:
    if work.unit == "segments":
        n_iterations = round(work.amount / work.side_by_side)
        return f"{n_iterations:,} x {work.side_by_side:,} {work.unit}"
    if work.n_tasks is not None and work.n_tasks > 1:
        return f"{work.n_tasks:,} x {round(work.amount / work.n_tasks):,} {work.unit}"
    most = f", {about(work.limit_s)} at most" if work.limit_s else ""
    if work.unit == MINUTES:
        return f"{about(work.limit_s)} of training"
    return f"{round(work.amount):,} {work.unit}{most}"
