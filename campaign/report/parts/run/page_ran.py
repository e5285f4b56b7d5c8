"""How it ran: busy workers, what each did, what it cost and what was lost."""

from statistics import median

from campaign.report.kit import style
from campaign.report.kit.blocks import Block, Facts, Fold, Gallery, Note, Section
from campaign.report.kit.canvas import Canvas
from campaign.report.kit.sources import RunSource
from campaign.report.parts.run.ran_account import RunAccount
from campaign.report.parts.run.ran_busy import draw_busy
from campaign.report.parts.run.ran_pools import time_of
from campaign.report.parts.run.ran_rows import draw_rows
from campaign.report.parts.run.ran_tables import (
    count_fates,
    lost_table,
    pool_table,
    stage_table,
    tries_table,
)
from campaign.telling import words
from campaign.watching.sentences import say_hours, say_tries


def how_it_ran(source: RunSource, canvas: Canvas) -> Section:
    """Show whether the workers were busy, what the run cost, and what went wrong."""
    section = Section(
        "ran",
        "How it ran",
        "Were the workers busy, what did it cost, and what was lost on the way?",
    )
    account = RunAccount(source)
    if not account.stages or account.whole_s <= 0:
        section.blocks.append(Note("No worker has finished a task yet.", "missing"))
        return section
    section.blocks.append(Facts(run_facts(account)))
    section.blocks += _notes(account)
    declared = (source.declared[stage] for stage in account.stages)
    colours = style.stage_colours(declared)
    pools, clock = account.pools, account.clock
    section.blocks.append(
        Gallery([draw_busy(pools, colours, clock, canvas),
                 draw_rows(pools, colours, clock, canvas)], columns=1)
    )  # fmt: skip
    section.blocks += _tables(account)
    return section


def run_facts(account: RunAccount) -> list[tuple[str, str]]:
    """Return time, workers, hours, blocks and failed tries, as labels and values."""
    again = len(account.starts) - 1
    resumed = f", resumed {words.count(again, 'time')}; pauses left out" * (again > 0)
    spent = time_of(account.pools, [(0.0, account.whole_s)])
    most = sum(int(pool.there.most) for pool in account.pools)
    rows = [
        ("Time", words.duration(account.whole_s) + resumed),
        (
            "Workers",
            f"at most {most:,}; idle for {words.percent(spent.idle_share)} of the time "
            f"that they were there, {words.worker_time(spent.there / 3600)} in all",
        ),
        (
            "Nothing at work",
            f"{words.percent(account.orchestration)} of the time: the driver alone, or "
            "workers still awaited",
        ),
    ]
    if account.hours:
        rows.append(("Hours", say_hours(account.hours)))
    if account.blocks:
        asked, ran, lost = count_fates(account.blocks)
        waits = [b.waited_s for b in account.blocks if b.waited_s is not None]
        said = f"{asked:,} asked for, {ran:,} ran, {lost:,} lost"
        if any(waits):
            said += f"; waited for {words.wall_time(median(waits))} in the median"
        rows.append(("Blocks of workers", said))
    if account.tries is not None:
        rows.append(("Failed tries", say_tries(account.tries["all"])))
    return rows


def _notes(account: RunAccount) -> list[Block]:
    notes: list[Block] = []
    silent = [pool.name for pool in account.pools if not pool.noted]
    if silent:
        text = (
            f"How many workers {words.joined(silent)} had was not noted: each counts "
            "from its first task to its last."
        )
        notes.append(Note(text, "caution"))
    source = account.source
    elsewhere = source.done | source.declared.in_driver
    if any(stage not in elsewhere for stage in source.stages):
        notes.append(Note("Tasks that had not ended yet are not counted.", "missing"))
    return notes


def _tables(account: RunAccount) -> list[Block]:
    tables: list[Block] = [stage_table(account)]
    if len(account.pools) > 1 or len(account.blocks) > len(account.starts):
        tables.append(pool_table(account))
    if any(block.lost for block in account.blocks):
        tables.append(Fold("The lost blocks", [lost_table(account)]))
    if account.tries and any(account.tries["all"].values()):
        tables.append(tries_table(account.tries))
    return tables
