"""What a run used and lost, as tables: per stage, per pool of workers, per try."""

from collections.abc import Sequence
from statistics import median

from campaign.report.kit.blocks import Cell, Table
from campaign.report.parts.run.ran_account import Hours, RunAccount
from campaign.report.parts.run.ran_pools import Pool, time_of
from campaign.telling import words
from campaign.watching.blocks import BlockLife
from campaign.watching.pools import TRIES
from campaign.watching.timeline import Interval, length


def stage_table(account: RunAccount) -> Table:
    """Tabulate tasks, hours and idle share per stage, and of the whole run."""
    pools, hours = account.pools, account.hours_of_stage
    kinds = [k for k in ("core", "gpu") if any(h[k] for h in hours.values())]
    rows = []
    for stage in account.stages:
        own = [p for p in pools if stage in p.busy]
        times, windows = account.task_times[stage], account.windows[stage]
        rows.append([
            Cell(stage.replace("_", " "), words.duration(length(windows))),
            Cell(f"{times['n']:,}", f"{n:,} failed" if (n := times["failed"]) else ""),
            _seconds(times["median_s"], times["p95_s"], "95 %"),
            *(Cell(words.worker_time(hours[stage][k])) for k in kinds),
            _idle_cell(own, pools, windows),
        ])  # fmt: skip
    rows.append([
        Cell("Whole run", words.duration(account.whole_s)),
        Cell(f"{sum(map(len, account.tasks.values())):,}"),
        Cell(""),
        *(Cell(words.worker_time(_total(hours, k))) for k in kinds),
        _idle_cell(pools, pools, [(0.0, account.whole_s)]),
    ])  # fmt: skip
    several = "Those are the workers that the stage uses; small, all. " * (
        len(pools) > 1
    )
    return Table(
        "Core and GPU time: that of tasks, times what a worker has. Idle: of the time "
        "that workers were there while the stage was at work, the share in "
        f"which they had no task of any stage. {several}A stage whose tasks ran "
        "beside another's, as ingestion does, is at work only for what was left. The "
        "whole run counts the time between stages too.",
        ["Stage", "Tasks", "Median task", *(_HEADS[k] for k in kinds), "Idle"],
        rows,
    )


def pool_table(account: RunAccount) -> Table:
    """Tabulate blocks asked for, that ran and were lost, and how idle each pool was."""
    held = account.hours_of_pool
    kinds = [k for k in ("core_held", "gpu_held") if any(h[k] for h in held.values())]
    rows = []
    for pool in account.pools:
        fates = [f"{n:,}" for n in count_fates(pool.blocks)]
        waits = [b.waited_s for b in pool.blocks if b.waited_s is not None]
        spent = time_of([pool], [(0.0, account.whole_s)])
        rows.append([
            Cell(pool.name, ", ".join(r for r in pool.roles if r != pool.name)),
            *(Cell(n if pool.noted else words.NONE) for n in fates),
            _seconds(median(waits), max(waits), "longest") if waits
            else Cell(words.NONE),
            Cell(f"{pool.there.most:,.0f}"),
            *(Cell(words.worker_time(held.get(pool.name, {}).get(k))) for k in kinds),
            Cell(words.percent(spent.idle_share)),
        ])  # fmt: skip
    return Table(
        "A block is what is asked of the scheduler at a time. Lost: it ended otherwise "
        "than by its walltime or the driver's wish. Wait: from asking to the first "
        "worker, median. Held: by workers, busy or not; a cluster may bill more.",
        ["Workers", "Asked for", "Ran", "Lost", "Wait", "Most",
         *(_HEADS[k] for k in kinds), "Idle"],
        rows,
    )  # fmt: skip


def count_fates(blocks: Sequence[BlockLife]) -> tuple[int, int, int]:
    """Return how many blocks were asked for, had workers, were lost."""
    ran = sum(b.ran_from is not None for b in blocks)
    return len(blocks), ran, sum(b.lost for b in blocks)


def lost_table(account: RunAccount) -> Table:
    """Tabulate the blocks that were lost: when, and what the scheduler said."""
    rows = [
        [
            Cell(f"{block.executor} {block.block}"),
            Cell(block.job_id or words.NONE),
            Cell(words.duration(account.clock.read(block.ended))),
            Cell(block.said or words.NONE),
        ]
        for block in account.blocks
        if block.lost
    ]
    head = ["Block", "Job", "Lost after", "The scheduler said"]
    return Table("Times since the start, pauses left out.", head, rows)


def tries_table(tries: dict[str, dict[str, int]]) -> Table:
    """Tabulate failed tries by stage and kind, as ``count_tries`` tells them."""
    rows = [
        [
            Cell(stage.replace("_", " ") or words.NONE),
            *(Cell(f"{kinds[kind]:,}") for kind in TRIES),
        ]
        for stage, kinds in tries.items()
        if stage != "all"
    ]
    return Table(
        "Tries of tasks that did not end well. Continued: a training that left a "
        "checkpoint before its block ended, and went on in another.",
        ["Failed tries", "Worker lost", "Continued", "Own error", "Given up"],
        rows,
    )


_HEADS = {
    "core": "Core time", "gpu": "GPU time",
    "core_held": "Core time held", "gpu_held": "GPU time held",
}  # fmt: skip


def _total(hours: dict[str, Hours], kind: str) -> float:
    return sum(h[kind] or 0.0 for h in hours.values())


def _seconds(middle: float | None, high: float | None, name: str) -> Cell:
    if middle is None or high is None:
        return Cell(words.NONE)
    said, most = words.wall_time(middle), words.wall_time(high)
    return Cell(said, "" if said == most else f"{name} {most}")


def _idle_cell(
    own: Sequence[Pool], pools: Sequence[Pool], windows: Sequence[Interval]
) -> Cell:
    mine = time_of(own, windows)
    detail = f"of {words.duration(mine.there)}"
    if len(pools) > 1:
        detail = f"{words.percent(time_of(pools, windows).idle_share)} of all"
    return Cell(words.percent(mine.idle_share), detail)
