"""A folder of plug-ins is copied into the run, recorded, and said before it runs."""

import json
import shutil
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from asked_campaign import Start, change, finish, settle
from filelock import FileLock

from apps.science import plugins
from apps.science.errors import ConfigError, RunLockedError
from apps.science.files import hash_file
from campaign.commands.bundle import write_bundle
from campaign.config import load_campaign
from campaign.ledger import Ledger
from campaign.opening.outside_code import renew_code, use_code_of
from campaign.opening.resume import open_campaign

DEPTH = """\
from typing import Literal
from apps.science.pcoords.base import PcoordConfig

class Config(PcoordConfig):
    kind: Literal["depth"] = "depth"

class ProgressCoordinate:
    n_dim = 1
    def __init__(self, config): pass
    def compute(self, positions): return positions[:, 0, :1]
"""


@pytest.fixture(autouse=True)
def nobody_named_one() -> Iterator[None]:
    with plugins.staying_with_folder():
        yield


@pytest.fixture
def theirs(tmp_path: Path) -> Path:
    """The file of a kind in a folder of plug-ins beside the campaign."""
    path = tmp_path / "asked" / "our_kinds" / "pcoords" / "depth.py"
    path.parent.mkdir(parents=True)
    path.write_text(DEPTH)
    return path


ASKED = {
    "plugins": "./our_kinds",
    "sample__pcoord": {"kind": "depth"},
    "sample__bins": {"kind": "rectilinear", "edges": [[0]]},
}


def test_it_is_copied_with_hashes_and_the_run_uses_its_copy(
    start: Start, theirs: Path, tmp_path: Path
) -> None:
    (theirs.parent / "__pycache__").mkdir()
    (theirs.parent / "__pycache__" / "depth.pyc").touch()
    (theirs.parent / "table.csv").write_text("1,2")
    paths = start(**ASKED)
    files = json.loads(paths.input_list.read_text())["files"]
    noted = {one["copy"]: one["sha256"] for one in files}
    assert noted["inputs/plugins/pcoords/depth.py"] == hash_file(theirs)
    assert set(noted) == {
        "inputs/mine.yaml",
        "inputs/plugins/pcoords/depth.py",
        "inputs/plugins/pcoords/table.csv",
    }
    assert yaml.safe_load(paths.resolved.read_text())["plugins"] == "inputs/plugins"

    elsewhere = tmp_path / "elsewhere"
    paths.root.rename(elsewhere)
    shutil.rmtree(tmp_path / "asked")
    opened = open_campaign(elsewhere)
    assert plugins.folder_in_use() == elsewhere / "inputs" / "plugins"
    assert plugins.describe_environment() == {
        "WEFT_PLUGINS": str(elsewhere / "inputs" / "plugins")
    }
    assert settle(opened) == []


def test_it_is_said_before_it_runs(start: Start, theirs: Path, weft: Any) -> None:
    theirs.write_text("raise SystemExit('it ran')")
    asked = theirs.parents[2] / "campaign.yaml"
    with pytest.raises(SystemExit):
        start(**ASKED)
    for words in (["validate", asked], ["run", asked]):
        done = weft.call(*words)
        named, ran = "asked/our_kinds (pcoords/depth.py)", "it ran"
        assert "brings code that is not weft's and runs" in done.stdout
        assert named in done.stdout
        assert ran in done.stderr


def test_a_campaign_without_one_uses_none(
    start: Start, theirs: Path, tmp_path: Path, alanine_yaml: Path
) -> None:
    paths = start(**ASKED)
    open_campaign(paths.root)
    load_campaign(alanine_yaml)
    assert plugins.folder_in_use() is None
    assert use_code_of(alanine_yaml) == []
    assert "depth.py" in use_code_of(paths.model("any") / "checkpoints")[0]
    assert plugins.folder_in_use() == paths.inputs / "plugins"


def test_resume_says_which_file_changed_and_keeps_to_its_copy(
    start: Start, theirs: Path
) -> None:
    paths = start(**ASKED)
    theirs.write_text(f"{DEPTH}# other\n")
    copy = paths.inputs / "plugins" / "pcoords" / "depth.py"
    [said] = settle(open_campaign(paths.root))
    assert f"{theirs} was changed since the run began" in said
    assert "inputs/plugins/pcoords/depth.py" in said
    assert "resume with --new-plugins" in said
    assert copy.read_text() == DEPTH
    copy.write_text("altered")
    with pytest.raises(ConfigError, match="put that file there again"):
        open_campaign(paths.root)
    theirs.write_text(DEPTH)
    assert "was copied again" in settle(open_campaign(paths.root))[0]
    assert copy.read_text() == DEPTH


def test_plug_ins_are_taken_anew_on_request(
    start: Start, theirs: Path, alanine_yaml: Path
) -> None:
    paths = start(**ASKED)
    finish(paths, "prepare")
    theirs.write_text(f"{DEPTH}# mended\n")
    (theirs.parent / "_shared.py").touch()
    [said] = renew_code(paths.root)
    assert "taken anew: pcoords/_shared.py, pcoords/depth.py" in said
    opened = open_campaign(paths.root)
    assert settle(opened) == []
    assert (paths.inputs / "plugins/pcoords/depth.py").read_text().endswith("mended\n")
    assert Ledger(paths.ledger).is_done("prepare")
    assert "depth.py" in str(Ledger(paths.ledger).entries()[-1].message)
    (theirs.parent / "_shared.py").unlink()
    assert "anew: pcoords/_shared.py" in renew_code(paths.root)[0]
    assert not (paths.inputs / "plugins/pcoords/_shared.py").exists()
    assert renew_code(paths.root) == ["The plug-ins are as they were."]
    with (
        FileLock(paths.lock, fallback_to_soft=False),
        pytest.raises(RunLockedError, match="Stop it first"),
    ):
        renew_code(paths.root)
    with pytest.raises(ConfigError, match="is not a run folder"):
        renew_code(alanine_yaml)


def test_another_folder_on_resume_is_taken_and_what_is_done_stays(
    start: Start, theirs: Path
) -> None:
    paths = start(**ASKED)
    other = theirs.parents[1].with_name("other_kinds")
    shutil.copytree(theirs.parents[1], other)
    finish(paths, "prepare")
    change(paths.campaign, plugins="other_kinds")
    [said] = settle(open_campaign(paths.root))
    assert "Changed settings were taken: plugins" in said
    assert plugins.folder_in_use() == paths.inputs / "plugins_2"
    assert Ledger(paths.ledger).is_done("prepare")


def test_a_bundle_brings_it_along(start: Start, theirs: Path, tmp_path: Path) -> None:
    paths = start(**ASKED)
    packed = write_bundle(paths.root, tmp_path / "all.zip")
    with zipfile.ZipFile(packed.path) as file:
        file.extractall(tmp_path / "unpacked")
    shutil.rmtree(tmp_path / "asked")
    unpacked = tmp_path / "unpacked" / "mine"
    config = load_campaign(unpacked / "campaign.yaml")
    assert config.plugins == unpacked / "inputs" / "plugins"


@pytest.mark.parametrize(
    ("folder", "said"),
    [
        ("none", "plugins: .*none does not exist"),
        ("mine.yaml", "plugins: .*mine.yaml is a file"),
        ("", "plugins: has no value"),
        (3, "plugins: "),
    ],
)
def test_what_is_no_folder_of_plug_ins_is_refused(
    start: Start, folder: object, said: str
) -> None:
    with pytest.raises(ConfigError, match=said):
        start(plugins=folder)
