"""Editors check by what ``weft schema`` writes, as ``weft validate`` where they can."""

import copy
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from apps.science import plugins
from campaign.campaign_type import TYPES, load_type
from campaign.commands.json_schema import KINDS, make_campaign_schema, make_site_schema
from campaign.commands.schema import CAMPAIGN, FOLDER, MODELINE, SITE
from campaign.types.force_field.presets import list_presets, read_preset

REPOSITORY = Path(__file__).parents[3]
WEFT = Path(sys.executable).with_name("weft")


@pytest.fixture(scope="module")
def check() -> Any:
    schema = make_campaign_schema()
    jsonschema.Draft7Validator.check_schema(schema)
    return jsonschema.Draft7Validator(schema)


@pytest.fixture(scope="module")
def check_site() -> Any:
    schema = make_site_schema()
    jsonschema.Draft7Validator.check_schema(schema)
    return jsonschema.Draft7Validator(schema)


def say(check: Any, text: Any) -> list[str]:
    return [f"{list(e.absolute_path)}: {e.message}" for e in check.iter_errors(text)]


FIRST = {
    **{p.parent.name + p.name: p.read_text("utf-8")
       for p in sorted(REPOSITORY.glob("examples/*/*.yaml"))
       if not (p.parent / "my_plugins").exists()},
    **{kind: load_type(kind).file.with_suffix(".yaml").read_text("utf-8")
       for kind in plugins.list_kinds(TYPES)},
    **{name: read_preset(name) for name in list_presets()},
}  # fmt: skip


@pytest.mark.parametrize("name", FIRST)
def test_what_is_shipped_is_right(check: Any, name: str) -> None:
    assert say(check, yaml.safe_load(FIRST[name])) == []


@pytest.mark.parametrize("site", sorted(REPOSITORY.glob("site_configs/*.yaml")))
def test_sites_that_are_shipped_are_right_and_name_it(
    check_site: Any, site: Path
) -> None:
    text = site.read_text("utf-8")
    assert text.splitlines()[0] == f"{MODELINE}{FOLDER}/{SITE}"
    assert say(check_site, yaml.safe_load(text)) == []


WRONG = {
    "a key that is none": ({"sampel": {}}, "sampel"),
    "a key of a section": ({"sample": {"n_iteration": 3}}, "n_iteration"),
    "a value out of bounds": ({"sample": {"n_iterations": 0}}, "minimum"),
    "a kind of model": ({"model": {"kind": "cgschnett"}}, "cgschnett"),
    "a key of another kind": ({"model": {"kind": "cgnet", "num_rbf": 3}}, "num_rbf"),
    "a kind of bins": ({"sample": {"bins": {"kind": "mob"}}}, "mob"),
    "a key of a propagator": (
        {"sample": {"propagator": {"kind": "openmm", "temp": 3}}}, "temp"),
    "what the run decides": (
        {"sample": {"propagator": {"kind": "openmm", "n_steps": 9}}}, "n_steps"),
    "a key of a coordinate": (
        {"sample": {"pcoord": {"kind": "rmsd", "file": "x"}}}, "file"),
    "a type": ({"type": "force_feild"}, "force_feild"),
    "no name": ({"name": None}, "None"),
}  # fmt: skip


@pytest.mark.parametrize("what", WRONG)
def test_what_is_wrong_is_underlined(check: Any, what: str) -> None:
    changed, said = WRONG[what]
    campaign: dict[str, Any] = yaml.safe_load(FIRST["force_field"])
    for section, value in changed.items():
        now = copy.deepcopy(campaign.get(section))
        both = isinstance(now, dict) and isinstance(value, dict)
        campaign[section] = now | value if both else value
    found = say(check, campaign)
    assert any(said in one for one in found), found


def test_a_section_may_leave_out_what_the_run_knows(check: Any) -> None:
    campaign = yaml.safe_load(FIRST["force_field"])
    chosen = {
        "propagator": {"kind": "openmm", "precision": "double"},
        "pcoord": {"kind": "rmsd"},
        "bins": {"kind": "mab", "nbins": [9]},
    }
    campaign["sample"] |= chosen
    assert say(check, campaign) == []


def test_what_a_preset_gives_may_be_left_out(check: Any) -> None:
    asked = {"name": "x", "type": "force_field", "system": {"fold": "chignolin"}}
    assert say(check, asked | {"preset": "thesis", "reference": {"n_walks": 2}}) == []


def test_sections_of_like_names_are_their_own(check: Any) -> None:
    """``system.model`` is the number of a model in a PDB file, ``model`` a network."""
    defs = check.schema["$defs"]
    (system,) = (one for name, one in defs.items() if name.endswith(".SystemConfig"))
    assert "integer" in json.dumps(system["properties"]["model"])
    for section, package in KINDS.items():
        for kind in plugins.list_kinds(package):
            assert f"{section}.{kind}" in defs


def test_a_site_with_a_misspelt_key_is_underlined(check_site: Any) -> None:
    wrong = {"executors": {"all": {"scheduler": "slurm", "partitoin": "gpu"}}}
    assert any("partitoin" in one for one in say(check_site, wrong))


def test_init_writes_what_its_first_line_names(tmp_path: Path) -> None:
    def weft(*words: str) -> None:
        subprocess.run([WEFT, *words], cwd=tmp_path, check=True, capture_output=True)

    weft("init", "mine", "--out", "here/mine.yaml")
    path = tmp_path / "here" / "mine.yaml"
    first = path.read_text("utf-8").splitlines()[0]
    assert first.startswith(MODELINE)
    named = path.parent / first.removeprefix(MODELINE)
    assert json.loads(named.read_text("utf-8"))["title"] == "A weft campaign"
    assert (named.parent / SITE).exists()
    os.truncate(named, 0)
    weft("schema", "--out", f"here/{FOLDER}")
    assert json.loads(named.read_text("utf-8")) == make_campaign_schema()


def test_plug_ins_of_a_campaign_are_described_with_it(tmp_path: Path) -> None:
    example = shutil.copytree(REPOSITORY / "examples" / "08_plug_in", tmp_path / "mine")
    done = subprocess.run(
        [WEFT, "schema", "mine/campaign.yaml"], cwd=tmp_path, text=True,
        capture_output=True, check=True,
    )  # fmt: skip
    assert "brings code that is not weft's" in done.stdout
    assert f"{MODELINE}{FOLDER}/{CAMPAIGN}\n" in done.stdout
    written = json.loads((example / FOLDER / CAMPAIGN).read_text("utf-8"))
    check = jsonschema.Draft7Validator(written)
    campaign = yaml.safe_load((example / "campaign.yaml").read_text("utf-8"))
    assert say(check, campaign) == []
    campaign["sample"]["pcoord"]["ends"] = 3
    assert any("ends" in one for one in say(check, campaign))
    without = jsonschema.Draft7Validator(make_campaign_schema())
    assert any("end_distance" in one for one in say(without, campaign))


def test_a_campaign_that_is_not_there_is_said(tmp_path: Path) -> None:
    done = subprocess.run(
        [WEFT, "schema", "mine.yaml"], cwd=tmp_path, text=True, capture_output=True,
        check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert "no file mine.yaml" in done.stderr
    assert not list(tmp_path.iterdir())
