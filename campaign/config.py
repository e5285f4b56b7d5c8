"""campaign.yaml <-> a campaign type's Config; every mistake found before a start."""

import difflib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import (
    Field,
    StringConstraints,
    ValidationError,
    ValidationInfo,
    field_validator,
)

from apps.science import plugins
from apps.science.config_base import StrictConfig
from apps.science.errors import ConfigError, WeftError
from apps.science.input_files import InputFiles, find_folder
from apps.science.strict_yaml import load_yaml
from campaign.campaign_type import TYPES, load_type

MODEL_KINDS = "apps.science.models.potentials"
PLUG_INS = {"model": MODEL_KINDS, "pcoord": "apps.science.pcoords"}
"""Sections whose keys depend on their kind."""

CampaignName = Annotated[
    str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$", max_length=200)
]
"""A name that every file system takes, with room for what is added to it."""


class CampaignConfig(StrictConfig):
    """What every campaign type has; a type adds its own sections."""

    name: CampaignName = Field(description="Name of the run folder under runs/.")
    type: str = Field(description="Campaign type, such as force_field.")
    plugins: Path | None = Field(
        None,
        description="Folder of kinds of your own: propagators/, pcoords/, models/, "
        "metrics/, tasks/, types/, sites/. It is code that runs.",
    )
    seed: int = Field(
        1, ge=0, lt=2**63, description="Decides every random number of the campaign."
    )
    copy_inputs_mb: float = Field(
        1000.0,
        ge=0,
        description="Input files up to this size are copied into the run folder; a "
        "larger one stays where it is and is known by its sha256.",
    )

    @field_validator("plugins", mode="before")
    @classmethod
    def _is_named(cls, written: Any) -> Any:
        if written == "":  # not the folder that one happens to be in
            raise ValueError("has no value. Give it one, or leave the key out")
        return written

    @field_validator("plugins")
    @classmethod
    def _find_plugins(cls, written: Path | None, info: ValidationInfo) -> Path | None:
        return None if written is None else find_folder(written, info)


def load_campaign(path: Path, files: InputFiles | None = None) -> CampaignConfig:
    """Read and check a campaign.yaml; ``files`` then knows which files it names.

    Raises
    ------
    ConfigError
        With one message that names every wrong key, what was found and expected.
    """
    if not _exists(path):
        raise ConfigError(f"{path} does not exist. `weft init` writes a first one.")
    raw = load_yaml(path)
    if raw is None:
        raise ConfigError(f"{path} is empty. `weft init` writes a first campaign.")
    if not isinstance(raw, dict):
        what = "a list" if isinstance(raw, list) else f"nothing but {raw!r:.60}"
        raise ConfigError(
            f"{path} holds {what}; expected keys with their values (name: ..., "
            "type: ...). `weft init` writes a first one."
        )
    return parse_campaign(raw, path, files)


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):  # a name too long, a folder that is closed to us
        return True  # reading it says why not


def parse_campaign(
    raw: dict[str, Any], source: Path, files: InputFiles | None = None
) -> CampaignConfig:
    """Turn the contents of a campaign.yaml into its type's Config.

    From then on plug-ins are found in the folder that it names, and in no other.

    Parameters
    ----------
    source : names the file in messages
    files : finds the files it names; by default paths are relative to ``source``
    """
    files = files or InputFiles(source.parent)
    if source.name.startswith("resolved."):
        raw = _forget(raw)
    folder = raw.get("plugins")
    if isinstance(folder, str) and folder:
        plugins.use_folder(files.find_folder(Path(folder)))
    else:
        plugins.use_folder(None)
    kind = raw.get("type")
    if not isinstance(kind, str):
        kinds = ", ".join(plugins.list_kinds(TYPES))
        found = "names no `type`" if kind is None else f"has the type {kind!r}"
        raise ConfigError(f"{source} {found}. The types that exist: {kinds}.")
    model = load_type(kind).Config
    try:
        config = model.model_validate(
            raw, context={"folder": files.folder, "files": files}
        )
    except ValidationError as error:
        raise ConfigError(explain(error, model, source, raw)) from None
    return config


def check_campaign(config: CampaignConfig) -> None:
    """Run the checks of the type that need more than the file itself.

    Raises
    ------
    ConfigError
        If the campaign cannot work (a structure that no force field knows, say).
    """
    try:
        plugins.load_all()
        load_type(config.type).check(config)
    except WeftError as error:
        raise ConfigError(str(error)) from error


def describe_campaign(
    config: CampaignConfig,
) -> Mapping[str | None, Mapping[str, str]]:
    """Return what is simulated, by protein: headings and sentences.

    A type says so where it has a ``describe``; the others give nothing.

    Raises
    ------
    ConfigError
        As ``check_campaign``.
    """
    describe = load_type(config.type).describe
    if describe is None:
        return {}
    try:
        return describe(config)
    except WeftError as error:
        raise ConfigError(str(error)) from error


def dump_campaign(config: CampaignConfig, root: Path | None = None) -> str:
    """Return the campaign with every default written out, as YAML.

    Paths in the run folder ``root`` are relative to it, so that it can be moved.
    """
    return yaml.safe_dump(_dump(config, root), sort_keys=False)


def describe_difference(
    old: str, config: CampaignConfig, root: Path | None = None
) -> str:
    """Return how a campaign differs from the ``old`` text of one, empty where not.

    A setting that ``old`` does not know, and that nobody has set, came with a later
    version and is no difference.
    """
    known, now = find_differing(old, config, root)
    lines = difflib.unified_diff(
        yaml.safe_dump(known, sort_keys=False).splitlines(),
        yaml.safe_dump(now, sort_keys=False).splitlines(),
        "started with", "now", lineterm="", n=1,
    )  # fmt: skip
    return "\n".join(lines)


def find_differing(
    old: str, config: CampaignConfig, root: Path | None = None
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the settings of ``old`` and of now, without those that came later."""
    now, known = _dump(config, root), _forget(yaml.safe_load(old))
    _drop_new_defaults(now, known, config.model_dump(mode="json", exclude_unset=True))
    return known, now


def _dump(config: CampaignConfig, root: Path | None) -> dict[str, Any]:
    found = _forget(config.model_dump(mode="json"))
    return found if root is None else make_relative(found, f"{root}/")


def _forget(resolved: dict[str, Any]) -> dict[str, Any]:
    """Return settings without what resolved.yaml no longer has.

    Earlier versions wrote a temperature of the prior there that was none: the data's
    is the one that counts.
    """
    prior = resolved.get("prior")
    if not isinstance(prior, dict):
        return resolved
    kept = {key: v for key, v in prior.items() if key != "temperature_kelvin"}
    return resolved | {"prior": kept}


def make_relative(value: Any, root: str) -> Any:
    """Return settings with every path below ``root/`` as it is seen from there."""
    if isinstance(value, dict):
        return {key: make_relative(inner, root) for key, inner in value.items()}
    if isinstance(value, list):
        return [make_relative(inner, root) for inner in value]
    return value.removeprefix(root) if isinstance(value, str) else value


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
        else:
            message = _say_mistake(item, message)
        lines.append(f"  {where}: {message}.".replace("..", "."))
    count = "1 mistake" if len(lines) == 1 else f"{len(lines)} mistakes"
    return f"{source} has {count}:\n" + "\n".join(lines)


def _say_mistake(item: Any, message: str) -> str:
    """Return what is wrong with a value, and what YAML may have made of it."""
    kind, found = item["type"], item["input"]
    said = f"{message}; found {_shorten(repr(found))}"
    if kind in {"missing", "value_error"}:
        said = message
    elif found is None:
        said = "has no value. Give it one, or leave the key out"
    elif kind == "string_type" and isinstance(found, bool | int | float):
        reads = str(found).lower() if isinstance(found, bool) else f"the number {found}"
        said = (
            f"expected text, but YAML reads what stands here as {reads}. Put it in "
            'quotes, as in "NO"'
        )
    elif kind != "string_type" and found in ("true", "false"):
        said = (
            f"expected a number, but YAML reads what stands here as {found}, as it "
            "does yes, no, on and off. Write the number"
        )
    elif kind == "string_pattern_mismatch":
        said = (
            f"found {_shorten(repr(found))}; expected letters, digits, and . _ -, "
            "beginning with a letter or digit"
        )
    elif kind == "finite_number":
        said = f"must be a finite number; found {found}"
    elif kind == "union_tag_not_found":
        said = f"names no `kind`; found {_shorten(repr(found))}"
    elif kind == "union_tag_invalid":
        context = item["ctx"]
        said = f"found kind {context['tag']!r}; expected {context['expected_tags']}"
    return said


def _shorten(text: str) -> str:
    return text if len(text) <= 200 else f"{text[:200]} ..."


def _keys_beside(model: Any, location: tuple[int | str, ...], raw: Any) -> list[str]:
    """Return the keys that exist where an unknown one was found."""
    for part in location:
        fields = getattr(model, "model_fields", {})
        raw = raw.get(part) if isinstance(raw, dict) else None
        if part in PLUG_INS and isinstance(raw, dict) and "kind" in raw:
            model = plugins.load_kind(PLUG_INS[str(part)], str(raw["kind"])).Config
        elif part in fields:
            model = fields[part].annotation
    return sorted(getattr(model, "model_fields", {}))
