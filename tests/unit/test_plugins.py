"""Kinds from outside: found by entry points and in a folder, or refused in words."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from apps.science import plugin_places, plugins
from apps.science.errors import PluginError, UnknownKindError
from apps.science.models.potentials.base import read_config
from site_configs.load import load_site

POTENTIALS = "apps.science.models.potentials"
PCOORDS = "apps.science.pcoords"
MINE = """\
from typing import Literal
import numpy as np
from apps.science.pcoords.base import PcoordConfig
{more}

class Config(PcoordConfig):
    kind: Literal["{kind}"] = "{kind}"

class ProgressCoordinate:
    n_dim = 1
    def __init__(self, config): pass
    def compute(self, positions): return np.full((len(positions), 1), {value})
"""


def write(path: Path, kind: str = "", more: str = "", value: str = "1.0") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(MINE.format(kind=kind or path.stem, more=more, value=value))
    return path


@pytest.fixture(autouse=True)
def nobody_named_one() -> Iterator[None]:
    with plugins.staying_with_folder():
        plugins.use_folder(None)
        yield


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A package with entry points, installed for as long as the test lasts."""
    folder = tmp_path / "site-packages"
    about = folder / "their_kinds-1.2.dist-info"
    about.mkdir(parents=True)
    (about / "METADATA").write_text("Name: their-kinds\nVersion: 1.2\n")
    (about / "entry_points.txt").write_text(
        "[weft.pcoords]\ntheirs = their_kinds.coordinate\n"
        "[weft.sites]\ntheir_cluster = their_kinds\n"
    )
    write(folder / "their_kinds" / "coordinate.py", "theirs")
    (folder / "their_kinds" / "__init__.py").touch()
    (folder / "their_kinds" / "their_cluster.yaml").write_text(
        "description: Theirs.\nexecutors: {all: {scheduler: local}}\n"
    )
    monkeypatch.syspath_prepend(folder)
    plugin_places._entry_points.cache_clear()
    yield folder
    plugin_places._entry_points.cache_clear()


def test_kinds_of_a_folder_are_found_here_and_in_other_processes(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "mine"
    write(folder / "pcoords" / "depth.py", more="from ._deep import DEEP", value="DEEP")
    (folder / "pcoords" / "_deep.py").write_text("from .. import shared as s\nDEEP=s.D")
    (folder / "shared.py").write_text("D = 7.0")
    assert "depth" not in plugins.list_kinds(PCOORDS)
    plugins.use_folder(folder)
    assert {"depth", "rmsd"} <= set(plugins.list_kinds(PCOORDS))
    module = plugins.load_kind(PCOORDS, "depth")
    made = module.ProgressCoordinate(module.Config())
    assert made.compute([0, 0]).tolist() == [[7.0], [7.0]]
    code = f"from apps.science.plugins import *; print(load_kind({PCOORDS!r}, 'depth'))"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True,
        check=True, env=os.environ | plugins.describe_environment(),
    )  # fmt: skip
    assert str(folder / "pcoords" / "depth.py") in done.stdout
    plugins.use_folder(None)
    with pytest.raises(UnknownKindError, match="Unknown kind 'depth' in pcoords"):
        plugins.load_kind(PCOORDS, "depth")


def test_a_folder_that_nobody_named_is_not_looked_into(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "pcoords" / "depth.py", more="raise SystemExit")
    monkeypatch.chdir(tmp_path)
    assert "depth" not in plugins.list_kinds(PCOORDS)


def test_kinds_of_installed_packages_are_found(installed: Path) -> None:
    assert "theirs" in plugins.list_kinds(PCOORDS)
    module = plugins.load_kind(PCOORDS, "theirs")
    assert module.__name__ == "their_kinds.coordinate"
    assert plugin_places.list_distributions() == {"their-kinds": "1.2"}
    assert load_site("their_cluster").description == "Theirs."


def test_a_kind_that_exists_twice_is_refused_with_both_places(
    tmp_path: Path, installed: Path
) -> None:
    for kind, other in (
        ("rmsd", "apps/science/pcoords/rmsd of weft"),
        ("theirs", "entry point theirs = their_kinds.coordinate of their-kinds 1.2"),
    ):
        path = write(tmp_path / kind / "pcoords" / f"{kind}.py")
        with pytest.raises(PluginError, match="exists twice in pcoords") as refused:
            plugins.use_folder(tmp_path / kind)
        assert str(path) in str(refused.value)
        assert other in str(refused.value)
        assert plugins.folder_in_use() is None


def test_an_installed_kind_that_weft_has_is_refused_without_a_folder_too(
    installed: Path,
) -> None:
    (points,) = installed.glob("*.dist-info/entry_points.txt")
    points.write_text("[weft.metrics]\nrmsd = their_kinds.coordinate\n")
    plugin_places._entry_points.cache_clear()
    with pytest.raises(PluginError, match="'rmsd' exists twice in metrics"):
        plugins.use_folder(None)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("x = = 1", "pcoords/mine.py, cannot be imported: SyntaxError"),
        ("import no_such_module", "No module named 'no_such_module'"),
        ("Config = 1", "has no ProgressCoordinate"),
        (MINE.format(kind="other", more="", value=1), "says the kind 'other'; expect"),
    ],
)
def test_what_is_no_plug_in_is_refused_in_words(
    tmp_path: Path, text: str, said: str
) -> None:
    write(tmp_path / "pcoords" / "mine.py").write_text(text)
    plugins.use_folder(tmp_path)
    with pytest.raises(PluginError, match=said):
        plugins.load_kind(PCOORDS, "mine")


def test_all_of_a_folder_is_looked_at_before_anything_begins(tmp_path: Path) -> None:
    write(tmp_path / "pcoords" / "fine.py")
    plugins.use_folder(tmp_path)
    plugins.load_all()
    metric = tmp_path / "metrics" / "broken.py"
    metric.parent.mkdir()
    metric.write_text("class Metrics: ...")
    with pytest.raises(PluginError, match=r"broken\.py, has no Metric"):
        plugins.load_all()


def test_a_folder_with_much_in_it_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "pcoords" / "fine.py")
    (tmp_path / "runs").mkdir()  # no folder of plug-ins: left where it is
    (tmp_path / "runs" / "large.h5").write_bytes(bytes(4000))
    monkeypatch.setattr(plugin_places, "MOST_MB", 0.002)
    plugins.use_folder(tmp_path)
    (tmp_path / "pcoords" / "large.npy").write_bytes(bytes(4000))
    with pytest.raises(PluginError, match="holds more than"):
        plugins.use_folder(tmp_path)


def test_a_folder_without_plug_ins_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PluginError, match="does not exist"):
        plugins.use_folder(tmp_path / "none")
    (tmp_path / "pcoord").mkdir()
    with pytest.raises(PluginError, match="has no plug-in"):
        plugins.use_folder(tmp_path)


MODEL = """\
from typing import Literal
from apps.science.models.potentials.base import ModelConfig

class Config(ModelConfig):
    kind: Literal["{0}"] = "{0}"

def build(config): ...
"""


def test_what_lies_straight_in_models_is_a_potential(tmp_path: Path) -> None:
    folder = tmp_path / "models"
    (folder / "potentials").mkdir(parents=True)
    (folder / "plain.py").write_text(MODEL.format("plain"))
    (folder / "potentials" / "inside.py").write_text(MODEL.format("inside"))
    plugins.use_folder(tmp_path)
    assert {"plain", "inside", "cgnet"} <= set(plugins.list_kinds(POTENTIALS))
    assert read_config({"kind": "inside"}).kind == "inside"
    (folder / "potentials" / "plain.py").write_text(MODEL.format("plain"))
    with pytest.raises(PluginError, match=r"'plain' exists twice in models \(potent"):
        plugins.use_folder(tmp_path)


def test_a_family_that_does_not_exist_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "models" / "potential"
    folder.mkdir(parents=True)
    (folder / "plain.py").write_text(MODEL.format("plain"))
    write(tmp_path / "pcoords" / "depth.py")
    with pytest.raises(PluginError, match="models have no family of that name"):
        plugins.use_folder(tmp_path)


def test_a_task_is_a_file_or_a_folder(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    from apps.science.learning.task import load_task

    (tmp_path / "tasks" / "large").mkdir(parents=True)
    (tmp_path / "tasks" / "large" / "task.py").write_text("Job, Task = 1, 2")
    (tmp_path / "tasks" / "small.py").write_text("Job = 1")
    plugins.use_folder(tmp_path)
    assert load_task("large").Task == 2
    with pytest.raises(UnknownKindError, match="task: small has no Task"):
        load_task("small")


def test_a_site_of_a_folder_goes_by_its_name(tmp_path: Path) -> None:
    path = tmp_path / "sites" / "our_cluster.yaml"
    path.parent.mkdir()
    path.write_text("description: Ours.\nexecutors: {all: {scheduler: local}}\n")
    plugins.use_folder(tmp_path)
    assert load_site("our_cluster").description == "Ours."
    path.rename(path.with_name("slurm.yaml"))
    with pytest.raises(PluginError, match="'slurm' exists twice in sites"):
        plugins.use_folder(tmp_path)
