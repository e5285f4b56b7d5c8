"""The first campaign.yaml that ``weft init`` writes."""

from pathlib import Path

import yaml
from pydantic import TypeAdapter, ValidationError

from apps.science.errors import ConfigError
from apps.science.files import write_text
from campaign.campaign_type import load_type
from campaign.commands.schema import CAMPAIGN, FOLDER, MODELINE, write_schemas
from campaign.config import CampaignName


def write_template(path: Path, name: str, kind: str, preset: str | None = None) -> Path:
    """Write a commented campaign of type ``kind`` to ``path``.

    Beside it goes what an editor completes and checks it by.

    Parameters
    ----------
    preset : published settings that it takes, of a type that has such

    Raises
    ------
    ConfigError
        If the type or the preset does not exist, ``path`` does, or no run can have
        that name.
    """
    campaign_type = load_type(kind)
    _check_name(name)
    if path.exists():
        raise ConfigError(f"{path} exists already. Move it, or choose another --out.")
    if preset is None:
        text = _read_template(campaign_type.file.with_suffix(".yaml"), kind)
    elif campaign_type.read_preset is None:
        raise ConfigError(
            f"Campaigns of type {kind} have no presets. Leave out --type, or --preset."
        )
    else:
        text = campaign_type.read_preset(preset)
    write_schemas(path.parent / FOLDER)
    text = f"{MODELINE}{FOLDER}/{CAMPAIGN}\n{text}"
    return write_text(path, text.replace("NAME", _quote(name)))


def _read_template(path: Path, kind: str) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError:
        raise ConfigError(
            f"The campaign type {kind} has no first campaign ({path}). Write one by "
            "hand: name, type, and what it asks for."
        ) from None


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
