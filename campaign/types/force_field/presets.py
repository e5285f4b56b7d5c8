"""Published settings by name: what ``preset:`` in campaign.yaml stands for.

A preset is a file of ``presets/``. What a person writes wins, key by key.
"""

from collections.abc import Iterator, Mapping
from functools import cache
from importlib.resources import files
from typing import Any, Final

import yaml

from apps.science.errors import ConfigError

_FOLDER: Final = files("campaign.types.force_field") / "presets"
_SYSTEM: Final = "system"
_SUFFIX: Final = ".yaml"


def list_presets() -> list[str]:
    """Return the names of the presets that exist."""
    found = [path.name for path in _FOLDER.iterdir() if path.name.endswith(_SUFFIX)]
    return sorted(name.removesuffix(_SUFFIX) for name in found)


def check_preset(name: str) -> str:
    """Return the name of a preset that exists.

    Raises
    ------
    ValueError
        If there is none; those that exist are said.
    """
    if name not in list_presets():
        raise ValueError(
            f"there is no preset {name!r}. The presets that exist: "
            f"{', '.join(list_presets())}"
        )
    return name


@cache
def _read(name: str) -> dict[str, Any]:
    text = (_FOLDER / f"{name}{_SUFFIX}").read_text(encoding="utf-8")
    found: dict[str, Any] = yaml.safe_load(text)
    return found


def preset_keys() -> Iterator[tuple[str, str]]:
    """Yield section and key of every setting that a preset gives."""
    for name in list_presets():
        for section, settings in read_settings(name).items():
            for key in settings:
                yield section, key


def read_preset(name: str) -> str:
    """Return the text of a first campaign.yaml with this preset.

    Raises
    ------
    ConfigError
        If there is no such preset.
    """
    try:
        first: str = _read(check_preset(name))["first"]
    except ValueError as error:
        raise ConfigError(f"{str(error)[0].upper()}{str(error)[1:]}.") from None
    return first


def read_settings(name: str) -> dict[str, Any]:
    """Return the sections that a preset sets, with what it sets in each."""
    settings: dict[str, Any] = _read(check_preset(name))["settings"]
    return settings


def fill_in(written: dict[str, Any]) -> dict[str, Any]:
    """Return the contents of a campaign.yaml with those of its preset beneath.

    What is set of the system holds for each of several proteins.

    Raises
    ------
    ValueError
        If there is no such preset.
    """
    name = written.get("preset")
    if name is None:
        return written
    settings = dict(_read(check_preset(name))["settings"])
    system = settings.pop(_SYSTEM, {})
    found: dict[str, Any] = _lay_over(settings, written)
    if isinstance(found.get(_SYSTEM), dict):
        found[_SYSTEM] = _lay_over(system, found[_SYSTEM])
    if isinstance(found.get("proteins"), dict):
        found["proteins"] = {
            name: _lay_over(system, one) for name, one in found["proteins"].items()
        }
    return found


def _lay_over(below: Any, above: Any) -> Any:
    """Return ``above`` with ``below`` where it says nothing; kinds do not mix."""
    if not (isinstance(below, dict) and isinstance(above, dict)):
        return above
    if "kind" in below and above.get("kind", below["kind"]) != below["kind"]:
        return above
    filled = {
        key: _lay_over(below[key], value) if key in below else value
        for key, value in above.items()
    }
    return {**{k: v for k, v in below.items() if k not in above}, **filled}


def say_preset(config: Any) -> list[str]:
    """Return what a preset set and what a person set instead, a line each."""
    name, now = config.preset, config.model_dump(mode="json")
    if name is None:
        return []
    asked = _read(name)
    lines, instead = [f"Preset {name}: {asked['about']}."], []
    for section, settings in asked["settings"].items():
        wanted = dict(_flatten(settings))
        told = ", ".join(f"{key} {_spell(value)}" for key, value in wanted.items())
        lines.append(f"  {section}: {told}")
        for where, found in _list_places(section, now):
            present = dict(_flatten(found))
            kinds = [k for k in wanted if k.rpartition(".")[2] == "kind"]
            other = [k for k in kinds if present.get(k) != wanted[k]]
            for key, value in wanted.items():
                of_other = [k for k in other if key.startswith(k.removesuffix("kind"))]
                if present.get(key) != value and (key in other or not of_other):
                    said = _spell(present.get(key))
                    instead.append(f"{where}.{key} {said} ({_spell(value)})")
    if instead:
        lines.append(f"  Set otherwise here: {', '.join(instead)}")
    return lines


def _list_places(section: str, now: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    if section == _SYSTEM and now.get("proteins"):
        for name, one in now["proteins"].items():
            yield f"proteins.{name}", one
    else:
        yield section, now.get(section) or {}


def _flatten(value: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    for key, inner in value.items():
        if isinstance(inner, Mapping):
            yield from _flatten(inner, f"{above}{key}.")
        else:
            yield f"{above}{key}", inner


def _spell(value: Any) -> str:
    if isinstance(value, list):
        return " x ".join(_spell(item) for item in value)
    if value is None or isinstance(value, bool):
        return "null" if value is None else str(value).lower()
    return f"{value:g}" if isinstance(value, float) else str(value)
