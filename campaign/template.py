"""The first campaign.yaml that ``weft init`` writes."""

from importlib.resources import files
from pathlib import Path

import yaml
from pydantic import TypeAdapter, ValidationError

from apps.science import plugins
from apps.science.errors import ConfigError
from apps.science.files import write_text
from campaign.config import TYPES, CampaignName
from campaign.schema_command import CAMPAIGN, FOLDER, MODELINE, write_schemas
from campaign.types._presets import WITH_PRESETS, read_first


def write_template(
    path: Path, name: str, kind: str, preset: str | None = None
) -> Path:
    """Write a commented campaign of type ``kind`` to ``path``.

    Beside it goes what an editor completes and checks it by.

    Parameters
    ----------
    preset : published settings that it takes, of a force-field campaign

    Raises
    ------
    ConfigError
        If the type or the preset does not exist, ``path`` does, or no run can have
        that name.
    """
    plugins.load_kind(TYPES, kind)
    _check_name(name)
    if path.exists():
        raise ConfigError(f"{path} exists already. Move it, or choose another --out.")
    if preset is not None and kind != WITH_PRESETS:
        raise ConfigError(
            f"Presets are of campaigns of type {WITH_PRESETS}; {kind} has none. Leave "
            "out --type, or --preset."
        )
    if preset is not None:
        text = read_first(preset)
    else:
        text = (files(TYPES) / f"{kind}.yaml").read_text(encoding="utf-8")
    write_schemas(path.parent / FOLDER)
    text = f"{MODELINE}{FOLDER}/{CAMPAIGN}\n{text}"
    return write_text(path, text.replace("NAME", _quote(name)))


def _check_name(name: str) -> None:
    try:
        TypeAdapter(CampaignName).validate_python(name)
    except ValidationError:
        raise ConfigError(
            f"A campaign cannot be called {name!r}: its name becomes a folder. Use up "
            "to 200 letters, digits, and . _ -, beginning with a letter or digit."
        ) from None


def _quote(name: str) -> str:
    """Return the name so that YAML does not take it for a number, date or truth."""
    return f'"{name}"' if name[0].isdigit() or yaml.safe_load(name) != name else name
