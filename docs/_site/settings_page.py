"""The tables of every setting, made from the models that check them.

A hook of mkdocs (see mkdocs.yml); ``write_tables`` gives the same text to tests.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from campaign.commands.json_schema import KINDS, make_campaign_schema, make_site_schema

PAGE = "settings.md"
PLACE = "The tables stand here once the site is built: `make docs`."
UNITS = {
    "kcal_per_mol": "kcal/mol", "angstrom2_per_ps": "Å²/ps", "per_ps": "1/ps",
    "fs": "fs", "ps": "ps", "kelvin": "K", "angstrom": "Å", "nm": "nm",
    "molar": "mol/L", "atm": "atm", "amu": "amu", "kt": "kT", "mb": "MB",
    "gib": "GiB", "minutes": "min", "seconds": "s", "walltime": "HH:MM:SS",
}  # fmt: skip
"""By the end of a key, longest first."""
WORDS = {
    "integer": "whole number", "number": "number", "string": "text",
    "boolean": "true or false", "object": "mapping", "null": "null",
}  # fmt: skip
BOUNDS = {
    "exclusiveMinimum": ">", "minimum": "≥", "exclusiveMaximum": "<", "maximum": "≤",
}  # fmt: skip
MACHINES_OWN = 1e15
"""Bounds from here on are the computer's."""


@dataclass(frozen=True)
class Row:
    """One setting."""

    key: str
    what: str
    type: str
    default: str

    @property
    def unit(self) -> str:
        """The unit that the end of its name says."""
        name = self.key.rpartition(".")[2].removesuffix("[]")
        ends = (unit for end, unit in UNITS.items() if f"_{name}".endswith(f"_{end}"))
        return next(ends, "")

    def __str__(self) -> str:
        cells = (f"`{self.key}`", self.what, self.type, self.unit, self.default)
        return "| " + " | ".join(c.replace("|", "\\|") for c in cells) + " |"


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Put the tables into their page."""
    if page.file.src_uri != PAGE:
        return markdown
    return markdown.replace(PLACE, write_tables())


def write_tables() -> str:
    """Return a table for each type, kind and site file, as Markdown."""
    schema = make_campaign_schema(presets=False)
    defs, parts = schema["$defs"], []
    for kind in schema["properties"]["type"]["enum"]:
        parts += _write_type(kind, defs)
    for section, named in KINDS.items():
        for kind in sorted(k for k in defs if k.startswith(f"{section}.")):
            if kind.count(".") == 1:
                rows = list_rows(defs[kind], defs)
                what, name = named.rpartition(".")[2], kind.partition(".")[2]
                parts += [f"## {what}: {name}\n", _write_table(rows)]
    site = make_site_schema()
    rows = list_rows(site, site["$defs"])
    parts += ["## Site files\n", _write_table(rows)]
    return "\n".join(parts)


def _write_type(kind: str, defs: dict[str, Any]) -> Iterator[str]:
    yield f"## Campaigns of type {kind}\n"
    rows = list_rows(defs[f"type.{kind}"], defs)
    sections: dict[str, list[Row]] = {}
    for row in rows:
        sections.setdefault(row.key.partition(".")[0], []).append(row)
    alone = [found[0] for found in sections.values() if len(found) == 1]
    yield _write_table(alone)
    for name, found in sections.items():
        if len(found) > 1:
            yield f"### {name} ({kind})\n"
            yield _write_table(found)


def _write_table(rows: list[Row]) -> str:
    head = "| key | what it is | type | unit | default |\n|---|---|---|---|---|\n"
    return head + "\n".join(map(str, rows)) + "\n"


def list_rows(
    schema: dict[str, Any], defs: dict[str, Any], above: str = ""
) -> list[Row]:
    """Return the settings of a model, those inside others by dotted keys."""
    rows = []
    required = schema.get("required", [])
    for key, found in schema["properties"].items():
        one = _resolve(found, defs)
        if "properties" in one and "allOf" not in one:
            rows += list_rows(one, defs, f"{above}{key}.")
            continue
        what = found.get("description") or one.get("description", "")
        what = what or ("Says which one it is." if "const" in one else "")
        default = _spell(found["default"]) if "default" in found else ""
        default = "required" if key in required else default
        inner = [s for s in _list_inside(one, defs) if "properties" in s[1]]
        if [s[0] for s in inner] != ["."]:  # else it is a section that may be left out
            rows.append(Row(f"{above}{key}", what, _say_type(one, defs), default))
        for dots, model in inner:
            kind = model["properties"].get("kind", {}).get("const")
            said = f" (kind {kind})" if kind else ""
            for row in list_rows(model, defs, f"{above}{key}{dots}"):
                if kind is None or not row.key.endswith(".kind"):
                    rows.append(Row(row.key, row.what + said, row.type, row.default))
    return rows


def _list_inside(
    one: dict[str, Any], defs: dict[str, Any], dots: str = "."
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield what a value may be, after ``[].`` in a list, ``.NAME.`` in a mapping."""
    one = _resolve(one, defs)
    several = one.get("oneOf") or one.get("anyOf") or []
    if one.get("type") == "array" and isinstance(one.get("items"), dict):
        yield from _list_inside(one["items"], defs, "[].")
    elif isinstance(one.get("additionalProperties"), dict):
        yield from _list_inside(one["additionalProperties"], defs, ".NAME.")
    elif several:
        for each in several:
            yield from _list_inside(each, defs, dots)
    elif "allOf" not in one:
        yield dots, one


def _resolve(one: dict[str, Any], defs: dict[str, Any]) -> dict[str, Any]:
    ref = one.get("$ref")
    return one if ref is None else defs[ref.removeprefix("#/$defs/")]


def _say_type(one: dict[str, Any], defs: dict[str, Any]) -> str:
    one = _resolve(one, defs)
    if "allOf" in one:  # a section of several kinds
        kinds = one["properties"]["kind"]["enum"]
        return f"a `kind` ({_join(kinds)}) with its settings"
    if "const" in one or "enum" in one:
        return _join(one.get("enum", [one.get("const")]))
    several = one.get("oneOf") or one.get("anyOf")
    if several:
        said = dict.fromkeys(_say_type(s, defs) for s in several)
        return " or ".join(w for w in said if w != "null")
    kind = one.get("type", "anything")
    if kind == "array":
        items = one.get("items", {})
        each = items if isinstance(items, list) else [items]
        said = dict.fromkeys(_say_type(s, defs) for s in each)
        return f"list of {' or '.join(said)}"
    if kind == "object" and "properties" in one:
        return _join([one["properties"].get("kind", {}).get("const", "settings")])
    words = WORDS.get(kind, kind)
    limits = [
        f"{sign} {one[name]:g}"
        for name, sign in BOUNDS.items()
        if name in one and one[name] < MACHINES_OWN
    ]
    return f"{words} {', '.join(limits)}".strip()


def _join(values: list[Any]) -> str:
    return ", ".join(f"`{value}`" for value in values)


def _spell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    value = f"{value:g}" if isinstance(value, float) else value
    return f"`{value}`" if value != "" else "empty"
