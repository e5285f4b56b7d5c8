"""What of a run a changed setting touches: the stages that stand against it.

A campaign type may say in READ_BY which kinds of stages first read a setting (dotted;
the longest that fits counts). Of a type that does not, every stage depends on every
setting.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from campaign.declared import Stage, list_kept
from campaign.layout.run_dir import RunDir
from campaign.ledger import Ledger

ReadBy = Mapping[str, Sequence[str]] | None
"""Of a campaign type."""

_SIGNS: Final = ("journal/iter_*", "checkpoints/*.pt", "metrics.json")
"""What of a stage that has not ended was some work."""

_NAMES: Final = ("name", "type")
"""Settings that change no figure of any stage."""

_WHERE: Final = "plugins"
"""A place alone; which kinds are taken from it, other settings say."""


class Standing(NamedTuple):
    """What stands against changed settings.

    Attributes
    ----------
    done : stages that ended with the settings as they were
    begun : stages that have not ended, and have data made with them
    empty : those of them whose data are nothing yet
    """

    done: list[str]
    begun: list[str]
    empty: list[str]


def list_changes(old: Any, new: Any, above: str = "") -> list[str]:
    """Return the settings, dotted, in which two contents of resolved.yaml differ."""
    if not (isinstance(old, dict) and isinstance(new, dict)):
        return [] if old == new else [above]
    found: list[str] = []
    for key in dict.fromkeys([*old, *new]):
        name = f"{above}.{key}" if above else str(key)
        if key not in old or key not in new:
            found.append(name)
        else:
            found += list_changes(old[key], new[key], name)
    return found


def find_standing(
    read_by: ReadBy,
    changes: Sequence[str],
    stages: Iterable[Stage],
    paths: RunDir,
    ledger: Ledger,
) -> Standing:
    """Return what stands against ``changes``.

    Parameters
    ----------
    stages : of the campaign as it was and as it is asked for now
    """
    standing = Standing([], [], [])
    for stage in stages:
        if not any(_reads(read_by, stage, change) for change in changes):
            continue
        if ledger.was_done(stage.name):
            standing.done.append(stage.name)
        elif kept := [p for p in list_kept(paths, stage) if p.exists()]:
            empty = not any(next(p.glob(sign), None) for p in kept for sign in _SIGNS)
            (standing.empty if empty else standing.begun).append(stage.name)
    return standing


def digest_settings(
    read_by: ReadBy, settings: Any, stage: Stage, files: Mapping[str, str]
) -> dict[str, str]:
    """Return a digest of every setting that a stage is one of the first to read.

    Parameters
    ----------
    settings : contents of resolved.yaml
    files : the sha256 of each input file, by its path there; it counts, not the path
    """
    read = {
        key: value
        for key, value in _list_leaves(settings)
        if key not in _NAMES and _reads(read_by, stage, key)
    }
    return digest_each(read, files)


def digest_each(settings: Any, files: Mapping[str, str]) -> dict[str, str]:
    """Return a digest of every setting, by its dotted name."""
    return {
        key: hashlib.sha256(_spell(files, value).encode()).hexdigest()[:16]
        for key, value in _list_leaves(settings)
        if key
    }


def _list_leaves(value: Any, above: str = "") -> Iterator[tuple[str, Any]]:
    if not isinstance(value, dict) or not value:
        yield above, value
        return
    for key, inner in value.items():
        yield from _list_leaves(inner, f"{above}.{key}" if above else str(key))


def _spell(files: Mapping[str, str], value: Any) -> str:
    if isinstance(value, list):
        return f"[{', '.join(_spell(files, one) for one in value)}]"
    if isinstance(value, float) and value.is_integer():
        value = int(value)  # 300 and 300.0 are one setting
    known = files.get(value) if isinstance(value, str) else None
    return known or json.dumps(value, sort_keys=True)


def _reads(readers: ReadBy, stage: Stage, change: str) -> bool:
    """Tell whether a stage is one of the first that read a setting."""
    if change == _WHERE:
        return False
    if readers is None:
        return True
    parts = change.split(".")
    for n in range(len(parts), 0, -1):
        if (kinds := readers.get(".".join(parts[:n]))) is not None:
            break
    else:
        # a whole section came or went: whoever reads a part of it
        inside = [k for k in readers if k.startswith(f"{change}.")]
        if not inside:
            return True
        kinds = [kind for key in inside for kind in readers[key]]
    if stage.kind not in kinds:
        return False
    entry = stage.of.get(parts[0])
    return entry is None or len(parts) == 1 or entry == parts[1]
