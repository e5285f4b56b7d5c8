"""The top of a page: its title, one sentence, and what every run can say."""

from collections.abc import Sequence
from dataclasses import dataclass

from campaign.report.kit.blocks import Block, Facts, Note
from campaign.report.kit.sources import RunSource
from campaign.telling import words
from campaign.watching.timeline import orchestration_share, wall_seconds


@dataclass(frozen=True)
class Verdict:
    """The top of the page."""

    title: str
    headline: str
    blocks: Sequence[Block]


def say_state(source: RunSource) -> Verdict:
    """Return the top of a run whose type has no verdict: how far it has come."""
    headline = "Every stage is done." if not list_left(source) else "Not finished yet."
    if not source.stages:
        headline = "There is no verdict yet: the run does not say what was asked for."
    blocks: list[Block] = [Facts(time_facts(source), cards=True)]
    name = str(source.config.get("name") or source.paths.name)
    return Verdict(spell_title(name), headline, [*blocks, *say_unfinished(source)])


def time_facts(source: RunSource) -> list[tuple[str, str]]:
    """Return how long the run took, and how much of that no worker was at work."""
    share = orchestration_share(source.paths.root)
    return [
        ("Time taken", words.duration(wall_seconds(source.paths.root))),
        ("Orchestration", words.percent(share)),
    ]


def say_unfinished(source: RunSource) -> list[Note]:
    """Return what is still to come; nothing of a run that is whole."""
    left = list_left(source)
    if not left:
        return []
    named = words.joined([s.replace("_", " ") for s in left])
    done = len([s for s in source.stages if s in source.done])
    text = f"This run is not finished: {done} of {len(source.stages)} stages are "
    return [Note(text + f"done. Still to come: {named}.", "missing")]


def list_left(source: RunSource) -> list[str]:
    """Return the stages that are still to come, but for the page itself."""
    finished = source.done | source.declared.pages
    return [stage for stage in source.stages if stage not in finished]


def spell_title(name: str) -> str:
    """Return a name as a heading."""
    text = name.replace("_", " ")
    return text[:1].upper() + text[1:]
