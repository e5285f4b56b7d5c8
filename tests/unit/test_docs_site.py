"""The site of the documents is built strictly, and has every setting of every model."""

import importlib.util
import re
import subprocess
import sys
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from apps.science import plugins
from campaign.campaign_type import TYPES, load_type
from campaign.commands.json_schema import KINDS, OF_THE_RUN
from site_configs.schema import Site

REPOSITORY = Path(__file__).parents[2]
SETTINGS_PAGE = REPOSITORY / "docs" / "_site" / "settings_page.py"


@pytest.fixture(scope="module")
def settings() -> Any:
    spec = importlib.util.spec_from_file_location("settings_page", SETTINGS_PAGE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def rows(settings) -> list[list[str]]:
    """Return key, what it is, type, unit and default of every row."""
    found = re.findall(r"^\| (`.*) \|$", settings.write_tables(), re.MULTILINE)
    return [[c.replace("\\|", "|") for c in re.split(r" (?<!\\)\| ", r)] for r in found]


MODELS = {
    **{k: load_type(k).Config for k in plugins.list_kinds(TYPES)},
    **{
        f"{section}: {kind}": plugins.load_kind(package, kind).Config
        for section, package in KINDS.items()
        for kind in plugins.list_kinds(package)
    },
    "site": Site,
}


def list_models(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in typing.get_args(annotation):
        yield from list_models(part)


def list_fields(model: type[BaseModel]) -> Iterator[tuple[str, FieldInfo]]:
    """Yield the settings of a model and of those inside it."""
    for name, field in model.model_fields.items():
        inner = list(list_models(field.annotation))
        for one in inner:
            kind = one.model_fields.get("kind")
            if kind is None or kind.annotation is not str:  # else of any kind
                yield from list_fields(one)
        if not inner and name not in ("kind", "type"):
            yield name, field


@pytest.mark.parametrize("name", MODELS)
def test_every_setting_is_there_as_its_model_has_it(
    name: str, rows: list[list[str]], settings: Any
) -> None:
    decided = OF_THE_RUN if name.startswith("propagator") else ()
    n_found = 0
    for key, field in list_fields(MODELS[name]):
        if key in decided:
            continue
        assert field.description, key
        there = [
            r
            for r in rows
            if re.split(r"[.`]", r[0])[-2] == key and r[1].startswith(field.description)
        ]
        assert there, f"{name}: no row for {key}"
        if isinstance(field.default, int | float | str) and field.default != "":
            said = settings._spell(field.default)
            assert said in [r[4] for r in there], (key, said)
        n_found += 1
    assert n_found >= 1


def test_units_are_those_that_keys_end_with(rows: list[list[str]]) -> None:
    unit = {row[0].strip("`"): row[3] for row in rows}
    assert unit["sample.segment_length_fs"] == "fs"
    assert unit["system.temperature_kelvin"] == "K"
    assert unit["system.friction_per_ps"] == "1/ps"
    assert unit["sample.walkers_per_bin"] == ""
    assert unit["executors.NAME.walltime"] == "HH:MM:SS"


def test_the_site_is_built_strictly_and_loads_nothing_from_elsewhere(
    tmp_path: Path,
) -> None:
    pytest.importorskip("mkdocs", reason="the extra docs is not installed")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", tmp_path],
        cwd=REPOSITORY, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    for page in ("", "force_field", "frames", "python", "faq", "editors", "examples/"
                 "02_alanine_dipeptide"):  # fmt: skip
        text = (tmp_path / page / "index.html").read_text(encoding="utf-8")
        loaded = re.findall(r'<(?:script|img)[^>]*\ssrc="([^"]*)"', text)
        loaded += re.findall(r'<link rel="stylesheet" href="([^"]*)"', text)
        assert loaded
        assert not [one for one in loaded if "//" in one], page
    text = (tmp_path / "settings" / "index.html").read_text(encoding="utf-8")
    assert "sample.walkers_per_bin" in text
    text = (tmp_path / "python" / "index.html").read_text(encoding="utf-8")
    assert "apps.science.cg.force_field.load_checkpoint" in text
