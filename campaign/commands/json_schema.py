"""JSON schemas of campaign.yaml and of site files, from the models that check them.

Editors complete and check by them as one types. They say less than ``weft validate``,
which alone knows what fits together, and never refuse what it takes.
"""

from typing import Any, Final

from apps.science import plugins
from apps.science.we.spec import PROPAGATORS
from campaign.campaign_type import TYPES, load_type
from campaign.config import PLUG_INS
from campaign.stages.kind_choice import OF_THE_RUN
from site_configs.schema import Site

Schema = dict[str, Any]
DRAFT: Final = "http://json-schema.org/draft-07/schema#"
KINDS: Final = PLUG_INS | {"propagator": PROPAGATORS}
"""Sections whose keys depend on their kind."""
_COMPLETED: Final = ("pcoord", "propagator")
"""Those of which the run itself knows what is left out."""


def make_campaign_schema(*, presets: bool = True) -> Schema:
    """Return the schema of campaign.yaml, of whatever type it is.

    Parameters
    ----------
    presets : whether what a preset may give can be left out
    """
    types = plugins.list_kinds(TYPES)
    about = "Campaign type; it decides which other keys there are."
    schema: Schema = {
        "$schema": DRAFT, "title": "A weft campaign", "type": "object",
        "required": ["name", "type"],
        "properties": {"type": {"enum": types, "description": about}},
        "allOf": [_when("type", kind, f"type.{kind}") for kind in types],
        "$defs": {},
    }  # fmt: skip
    for kind in types:
        schema["$defs"] |= _define_type(kind, presets)
    for section, package in KINDS.items():
        for kind in plugins.list_kinds(package):
            config = plugins.load_kind(package, kind).Config
            found = _define(config, f"{section}.{kind}")
            if section in _COMPLETED:
                _complete(found[f"{section}.{kind}"])
            schema["$defs"] |= found
    return schema


def make_site_schema() -> Schema:
    """Return the schema of a site file."""
    found = _define(Site, "site")
    site = found.pop("site")
    site["required"] = [key for key in site.get("required", []) if key != "name"]
    return {"$schema": DRAFT, "title": "A site of weft", **site, "$defs": found}


def _define_type(kind: str, presets: bool) -> dict[str, Schema]:
    """Return the definitions of a campaign type; its own is ``type.<kind>``."""
    campaign_type = load_type(kind)
    found = _define(campaign_type.Config, f"type.{kind}")
    for one in list(found.values()):
        keys = one.get("properties", {})
        for key in keys.keys() & KINDS.keys():
            if _is_open(keys[key], found):
                keys[key] = _choose(key, keys[key].get("description", ""))
    top = found[f"type.{kind}"]
    if presets and campaign_type.preset_keys:
        # what a preset may give, nobody has to write
        top["required"] = ["name"]
        for section, key in campaign_type.preset_keys():
            where = top["properties"].get(section, {}).get("$ref", "")
            one = found.get(where.rpartition("/")[2], {})
            if key in one.get("required", []):
                one["required"].remove(key)
    return found


def _is_open(one: Schema, found: dict[str, Schema]) -> bool:
    """Tell whether a key has sections of any kind, and not just a name like theirs."""
    meant = found.get(one.get("$ref", "").removeprefix("#/$defs/"), one)
    return "kind" in meant.get("properties", {}) or bool(
        meant.get("additionalProperties")
    )


def _define(config: type[Any], name: str) -> dict[str, Schema]:
    """Return a model and those it is made of, by names that begin with ``name``."""
    found = config.model_json_schema(ref_template=f"#/$defs/{name}.{{model}}")
    inner = found.pop("$defs", {})
    named = {name: found, **{f"{name}.{key}": one for key, one in inner.items()}}
    for one in named.values():
        _tidy(one)
    return named


def _tidy(schema: Any) -> None:
    """Take out what editors would show and nobody needs."""
    if isinstance(schema, list):
        for one in schema:
            _tidy(one)
    if not isinstance(schema, dict):
        return
    if isinstance(schema.get("title"), str):
        del schema["title"]
    schema.pop("discriminator", None)
    if schema.get("format") == "path":
        del schema["format"]
    if "prefixItems" in schema:  # as draft 7 calls it
        schema["items"] = schema.pop("prefixItems")
    for key, one in schema.items():
        if key not in ("default", "const", "enum"):
            _tidy(one)


def _choose(section: str, about: str) -> Schema:
    """Return the schema of a section whose keys depend on its kind."""
    kinds = plugins.list_kinds(KINDS[section])
    return {
        "type": "object",
        "description": about,
        "properties": {"kind": {"enum": kinds, "description": "Which one."}},
        "allOf": [_when("kind", kind, f"{section}.{kind}") for kind in kinds],
    }


def _when(key: str, value: str, name: str) -> Schema:
    asked = {"required": [key], "properties": {key: {"const": value}}}
    return {"if": asked, "then": {"$ref": f"#/$defs/{name}"}}


def _complete(schema: Schema) -> None:
    """Let a section leave out what the run knows, and refuse what it decides."""
    schema.pop("required", None)
    for key in OF_THE_RUN:
        schema["properties"].pop(key, None)
