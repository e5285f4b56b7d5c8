"""What a campaign type says of its stages before any of them runs.

A start writes it down (stages.json), so that whoever looks at a run needs to know no
type: status, watch, forecast, export, report.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, Final

from apps.roles import ANALYSIS
from apps.science.files import read_json, write_json
from campaign.layout.run_dir import RunDir

DRIVER: Final = "driver"
"""The role of a stage that no worker has part in."""


@dataclass(frozen=True)
class Stage:
    """A stage of a campaign, as its type declares it.

    Attributes
    ----------
    name
        What it is called in the ledger, in the table and on the command line.
    kind
        Stages of a kind do the same thing to different data: they take alike long, read
        the same settings and share a colour. By default the name.
    brief
        What it does, in a line.
    role
        Of the workers that its tasks need (``apps.roles``); DRIVER where it has none.
    of
        What it is a stage of, by the section of campaign.yaml that names several:
        ``{"proteins": "chignolin"}``; changed settings of another entry are no concern
        of it. Under ``models``, which of those that the campaign makes.
    we
        The folder of its weighted-ensemble run, seen from the run folder.
    trains
        The folder of the model that it trains, seen from the run folder.
    keeps
        What it goes on from when it was interrupted, seen from the run folder; it does
        not fit other settings.
    at_once
        Ends seconds after what it waits for, and tells no progress.
    writes_page
        Writes the report, which does not wait for it.
    """

    name: str
    kind: str = ""
    brief: str = ""
    role: str = ANALYSIS
    of: Mapping[str, str] = field(default_factory=dict)
    we: str | None = None
    trains: str | None = None
    keeps: Sequence[str] = ()
    at_once: bool = False
    writes_page: bool = False

    def __post_init__(self) -> None:
        if not self.kind:
            object.__setattr__(self, "kind", self.name)


_KNOWN = {one.name for one in fields(Stage)}


class Stages(dict[str, Stage]):
    """The stages of a run by name, in their order; an unknown one has but a name."""

    @property
    def in_driver(self) -> set[str]:
        """Those that no worker has part in."""
        return {stage.name for stage in self.values() if stage.role == DRIVER}

    @property
    def pages(self) -> set[str]:
        """Those that write the report."""
        return {stage.name for stage in self.values() if stage.writes_page}

    def __init__(self, stages: Iterable[Stage] = ()) -> None:
        super().__init__((stage.name, stage) for stage in stages)

    def __missing__(self, name: str) -> Stage:
        return Stage(name)


def write_stages(paths: RunDir, stages: Iterable[Stage]) -> None:
    """Write what the stages of a run are."""
    write_json(paths.stages, {"stages": [asdict(stage) for stage in stages]})


def read_written(paths: RunDir) -> Stages | None:
    """Return what was written of the stages of a run; None where nothing whole was."""
    found = read_json(paths.stages)
    try:
        return None if found is None else Stages(map(_read, found["stages"]))
    except (KeyError, TypeError, AttributeError):
        return None  # no such file of weft's; who reads it asks the type


def we_folder(paths: RunDir, stage: Stage) -> Path | None:
    """Return the folder of a stage's WE run, None for a stage without one."""
    return paths.root / stage.we if stage.we else None


def list_kept(paths: RunDir, stage: Stage) -> list[Path]:
    """Return what a stage goes on from when it was interrupted."""
    return [paths.root / kept for kept in stage.keeps]


def _read(one: Mapping[str, Any]) -> Stage:
    return Stage(**{key: value for key, value in one.items() if key in _KNOWN})
