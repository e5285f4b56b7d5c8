"""A campaign type: what it says of itself, and what it may leave out.

A type is a module ``campaign/types/<type>.py``, or a folder there with ``type.py``.
docs/add-a-type.md has an example.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import MISSING, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from apps.science import plugins
from apps.science.errors import ConfigError

if TYPE_CHECKING:
    from campaign.config import CampaignConfig
    from campaign.context import Context
    from campaign.declared import Stage
    from campaign.estimate.work import Work
    from campaign.report.build import Part
    from campaign.report.kit.sources import RunSource
    from campaign.report.kit.top import Verdict

TYPES: Final = "campaign.types"

Description = Mapping[str | None, Mapping[str, str]]
"""Headings and sentences of what is simulated, by the name of each, None of an only
one."""


@dataclass(frozen=True)
class CampaignType:
    """What a type gives; names are those of the module.

    The first campaign.yaml that ``weft init`` writes lies beside the module, with its
    name and ``.yaml``; NAME in it becomes the campaign's.

    Attributes
    ----------
    name, file
        What a person types, and where the module is.
    Config
        What a person writes in campaign.yaml: a subclass of ``CampaignConfig``.
    stages
        The stages of a campaign, in the order they are shown.
    check
        Refuses what cannot work and takes more than the file to see, before anything
        is queued.
    run
        Submits the stages; their futures are the edges of the DAG.
    describe
        What is simulated, for ``weft validate``.
    say_preset
        What a preset sets in a campaign, a line each.
    preset_keys
        Sections and keys that a preset gives, which nobody has to write then.
    read_preset
        The text of a first campaign.yaml with a preset of that name; without it a type
        has no presets.
    list_work
        What each stage will do, from the settings alone; without it a campaign has no
        estimate.
    shrink
        Settings that make a campaign of every stage in about a minute, by section;
        without it ``weft validate --probe`` is refused.
    READ_BY
        The kinds of stages that first read a setting (dotted; the longest that fits
        counts); what comes after follows. Without it every stage reads every setting.
    sources
        What the pages of a report are drawn from, the page that is asked for last;
        by default one page of what every run has.
    parts
        The parts of a page by their headings, in order.
    verdict
        The top of a page.
    """

    name: str
    file: Path
    Config: type[CampaignConfig]
    stages: Callable[[Any], Sequence[Stage]]
    check: Callable[[Any], None]
    run: Callable[[Context], None]
    describe: Callable[[Any], Description] | None = None
    say_preset: Callable[[Any], Sequence[str]] | None = None
    preset_keys: Callable[[], Iterable[tuple[str, str]]] | None = None
    read_preset: Callable[[str], str] | None = None
    list_work: Callable[[Any], Sequence[Work]] | None = None
    shrink: Callable[[Any], Mapping[str, Mapping[str, Any]]] | None = None
    READ_BY: Mapping[str, Sequence[str]] | None = None
    sources: Callable[[Path], Sequence[RunSource]] | None = None
    parts: Callable[[Any], Mapping[str, Part]] | None = None
    verdict: Callable[[Any], Verdict] | None = None


def load_type(name: str) -> CampaignType:
    """Return a campaign type by what a person types.

    Raises
    ------
    UnknownKindError
        If there is none of that name; the message lists those that exist.
    ConfigError
        If it lacks something.
    """
    module = plugins.load_kind(TYPES, name)
    if hasattr(module, "__path__"):
        module = importlib.import_module(f"{module.__name__}.type")
    file = Path(str(module.__file__))
    found: dict[str, Any] = {"name": name, "file": file}
    for one in fields(CampaignType):
        if one.name in found:
            continue
        if hasattr(module, one.name):
            found[one.name] = getattr(module, one.name)
        elif one.default is MISSING:
            raise ConfigError(
                f"The campaign type {name} ({file}) has no {one.name}. "
                "docs/add-a-type.md says what a type has."
            )
    return CampaignType(**found)
