"""campaign.yaml <-> a campaign type's Config; every mistake found before a start."""

import difflib
from pathlib import Path
from typing import Any, cast

import yaml
from pydantic import Field, ValidationError

from apps.science import plugins
from apps.science.config_base import StrictConfig
from apps.science.errors import ConfigError, WeftError

TYPES = "campaign.types"
MODEL_KINDS = "apps.science.models"


class CampaignConfig(StrictConfig):
    """What every campaign type has; a type adds its own sections."""

    name: str = Field(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$",
        description="Name of the run folder under runs/.",
    )
    type: str = Field(description="Campaign type: a file in campaign/types/.")
    seed: int = Field(
        1, ge=0, lt=2**63, description="Decides every random number of the campaign."
    )


def load_campaign(path: Path) -> CampaignConfig:
    """Read and check a campaign.yaml.

    Raises
    ------
    ConfigError
        With one message that names every wrong key, what was found and expected.
    """
    if not path.exists():
        raise ConfigError(f"{path} does not exist. `weft init` writes a first one.")
    try:
        raw = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is not valid YAML: {error}") from None
    if not isinstance(raw, dict):
        raise ConfigError(f"{path} holds {type(raw).__name__}; expected keys, values.")
    return parse_campaign(raw, path)


def parse_campaign(raw: dict[str, Any], source: Path) -> CampaignConfig:
    """Turn the contents of a campaign.yaml into its type's Config.

    Relative paths in the file are meant relative to ``source``'s folder.
    """
    kind = raw.get("type")
    if not isinstance(kind, str):
        kinds = ", ".join(plugins.list_kinds(TYPES))
        raise ConfigError(f"{source} names no `type`. The types that exist: {kinds}.")
    module = plugins.load_kind(TYPES, kind)
    try:
        config = module.Config.model_validate(raw, context={"folder": source.parent})
    except ValidationError as error:
        raise ConfigError(explain(error, module.Config, source, raw)) from None
    return cast(CampaignConfig, config)


def check_campaign(config: CampaignConfig) -> None:
    """Run the checks of the type that need more than the file itself.

    Raises
    ------
    ConfigError
        If the campaign cannot work (a structure that no force field knows, say).
    """
    try:
        plugins.load_kind(TYPES, config.type).check(config)
    except WeftError as error:
        raise ConfigError(str(error)) from error


def dump_campaign(config: CampaignConfig) -> str:
    """Return the campaign with every default written out, as YAML."""
    return yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False)


def describe_difference(old: str, config: CampaignConfig) -> str:
    """Return how a campaign differs from the ``old`` text of one, empty where not.

    A setting that ``old`` does not know, and that nobody has set, came with a later
    version and is no difference.
    """
    now = config.model_dump(mode="json")
    known = yaml.safe_load(old)
    _drop_new_defaults(now, known, config.model_dump(mode="json", exclude_unset=True))
    new = yaml.safe_dump(now, sort_keys=False)
    lines = difflib.unified_diff(
        yaml.safe_dump(known, sort_keys=False).splitlines(), new.splitlines(),
        "started with", "now", lineterm="", n=1,
    )  # fmt: skip
    return "\n".join(lines)


def _drop_new_defaults(now: Any, known: Any, was_set: Any) -> None:
    if not all(isinstance(tree, dict) for tree in (now, known, was_set)):
        return
    for key in list(now):
        if key not in known:
            if key not in was_set:
                del now[key]
        else:
            _drop_new_defaults(now[key], known[key], was_set.get(key, {}))


def explain(
    error: ValidationError, model: type[StrictConfig], source: Path, raw: Any = None
) -> str:
    """Turn a pydantic error into sentences: key, what was found, what to do.

    ``raw`` is what was read; it says of which kind a network is.
    """
    lines = []
    for item in error.errors(include_url=False):
        where = ".".join(str(part) for part in item["loc"]) or "the file"
        message = item["msg"].removeprefix("Value error, ")
        if item["type"] == "extra_forbidden":
            keys = _keys_beside(model, item["loc"][:-1], raw)
            close = difflib.get_close_matches(str(item["loc"][-1]), keys, 1)
            hint = f" Did you mean {close[0]!r}?" if close else ""
            message = f"unknown key.{hint} The keys that exist: {', '.join(keys)}"
        elif item["type"] not in {"missing", "value_error"}:
            message = f"{message}; found {item['input']!r}"
        lines.append(f"  {where}: {message}.".replace("..", "."))
    count = "1 mistake" if len(lines) == 1 else f"{len(lines)} mistakes"
    return f"{source} has {count}:\n" + "\n".join(lines)


def _keys_beside(model: Any, location: tuple[int | str, ...], raw: Any) -> list[str]:
    """Return the keys that exist where an unknown one was found."""
    for part in location:
        fields = getattr(model, "model_fields", {})
        raw = raw.get(part) if isinstance(raw, dict) else None
        if part == "model" and isinstance(raw, dict) and "kind" in raw:
            model = plugins.load_kind(MODEL_KINDS, str(raw["kind"])).Config
        elif part in fields:
            model = fields[part].annotation
    return sorted(getattr(model, "model_fields", {}))
