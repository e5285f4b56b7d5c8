"""The blocks of workers of a run, one by one: asked for, with workers, ended."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from campaign.watching.notes import ENDED, LOST
from campaign.watching.timeline import Interval


@dataclass(frozen=True)
class Stretch:
    """A time in which a block had so many workers; seconds since the epoch.

    ``lost`` where the scheduler had ended the block and Parsl did not know it yet.
    """

    begin: float
    end: float
    workers: int
    lost: bool


@dataclass
class BlockLife:
    """What became of one block; seconds since the epoch.

    Attributes
    ----------
    asked : when it was asked for
    ended : when it was over, at the latest with its driver
    stretches : when it had workers, in order
    """

    executor: str
    block: str
    asked: float
    ended: float
    lost: bool = False
    job_id: str | None = None
    said: str | None = None
    stretches: list[Stretch] = field(default_factory=list)

    @property
    def ran_from(self) -> float | None:
        """When it first had workers, None if it never had."""
        return self.stretches[0].begin if self.stretches else None

    @property
    def waited_s(self) -> float | None:
        """How long it was waited for, None if it never had workers."""
        return None if self.ran_from is None else self.ran_from - self.asked


def list_blocks(
    events: Sequence[dict[str, Any]], starts: Sequence[Interval]
) -> list[BlockLife]:
    """Return every block that a driver noted, in the order they were asked for.

    Each driver's blocks are its own: one of the same name in a later start is another.
    """
    noted = [e for e in events if e["event"] == "block"]
    found: list[BlockLife] = []
    for begin, end in starts:
        mine: dict[tuple[str, str], list[dict[str, Any]]] = {}
        for event in noted:
            if begin <= event["time"] <= end:
                key = (event["executor"], event["block"])
                mine.setdefault(key, []).append(event)
        found += [_life(notes, end) for notes in mine.values()]
    return found


def _life(notes: list[dict[str, Any]], end: float) -> BlockLife:
    first, last = notes[0], notes[-1]
    over = next((n["time"] for n in notes if n["state"] in {ENDED, LOST}), end)
    life = BlockLife(
        first["executor"], first["block"], first["time"], over, last["state"] == LOST,
        first.get("job_id"), last.get("said"),
    )  # fmt: skip
    times = [n["time"] for n in notes[1:]] + [end]
    life.stretches = [
        Stretch(note["time"], until, note["workers"], note["state"] == LOST)
        for note, until in zip(notes, times, strict=True)
        if note["workers"]
    ]
    return life


def list_lost(
    events: Sequence[dict[str, Any]], starts: Sequence[Interval]
) -> list[dict[str, Any]]:
    """Return the blocks that were lost: when, which, and what the scheduler said."""
    return [
        {"time": block.ended, "executor": block.executor, "block": block.block,
         "job_id": block.job_id, "said": block.said}
        for block in list_blocks(events, starts)
        if block.lost
    ]  # fmt: skip
