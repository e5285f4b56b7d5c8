"""Files that campaign.yaml names are copied, and the run goes on from the copies."""

import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml
from asked_campaign import PRIOR, Start, change, finish, settle

from apps.science.errors import ConfigError
from campaign.opening.resume import open_campaign


def test_input_files_are_copied_and_a_run_can_be_moved(
    start: Start, tmp_path: Path
) -> None:
    paths = start()
    assert (paths.inputs / "mine.yaml").read_text() == PRIOR
    resolved = yaml.safe_load(paths.resolved.read_text())
    assert resolved["prior"]["parameters"] == "inputs/mine.yaml"
    finish(paths, "prepare")

    elsewhere = tmp_path / "elsewhere" / "mine"
    elsewhere.parent.mkdir()
    paths.root.rename(elsewhere)
    shutil.rmtree(tmp_path / "asked")  # a missing original does not matter
    opened = open_campaign(elsewhere)
    assert settle(opened) == []
    config: Any = opened.config
    assert config.prior.parameters == elsewhere / "inputs" / "mine.yaml"


def test_a_changed_original_is_said_and_the_copy_is_used(
    start: Start, tmp_path: Path
) -> None:
    paths = start()
    (tmp_path / "asked" / "mine.yaml").write_text(PRIOR + "# other\n")
    [said] = settle(open_campaign(paths.root))
    assert "mine.yaml was changed since the run began" in said
    assert "another name" in said
    assert (paths.inputs / "mine.yaml").read_text() == PRIOR


def test_a_lost_copy_is_made_again_or_asked_for(start: Start, tmp_path: Path) -> None:
    paths = start()
    copy = paths.inputs / "mine.yaml"
    copy.unlink()
    [said] = settle(open_campaign(paths.root))
    assert "was copied again" in said
    assert copy.read_text() == PRIOR
    copy.write_text("altered")
    (tmp_path / "asked" / "mine.yaml").unlink()
    with pytest.raises(ConfigError, match="put that file there again"):
        open_campaign(paths.root)
    copy.write_text(PRIOR)
    assert settle(open_campaign(paths.root)) == []


def test_a_large_file_stays_where_it_is(start: Start, tmp_path: Path) -> None:
    paths = start(copy_inputs_mb=0)
    original = tmp_path / "asked" / "mine.yaml"
    assert list(paths.inputs.iterdir()) == [paths.input_list]
    assert yaml.safe_load(paths.resolved.read_text())["prior"]["parameters"] == str(
        original
    )
    assert settle(open_campaign(paths.root)) == []
    original.write_text("altered")
    with pytest.raises(ConfigError, match=r"mine\.yaml was changed\. The run began"):
        open_campaign(paths.root)


def test_files_of_one_name_are_told_apart(start: Start, tmp_path: Path) -> None:
    other = tmp_path / "asked" / "other" / "Mine.yaml"  # one name on some disks
    other.parent.mkdir()
    other.write_text(PRIOR + "# other\n")
    variants = {"a": {}, "b": {"prior": {"parameters": "other/Mine.yaml"}}}
    paths = start(experiments={"variants": variants})
    copies = {path.name: path.read_text() for path in paths.inputs.glob("*.yaml")}
    assert copies == {"mine.yaml": PRIOR, "Mine_2.yaml": PRIOR + "# other\n"}
    config: Any = open_campaign(paths.root).config
    read = [variant.prior.parameters.name for variant in config.variants]
    assert read == ["mine.yaml", "Mine_2.yaml"]


def test_a_file_that_a_changed_setting_names_is_copied_too(
    start: Start, tmp_path: Path
) -> None:
    paths = start()
    finish(paths, "prepare")
    (tmp_path / "asked" / "other.yaml").write_text("units: none\n")
    change(paths.campaign, prior__parameters="other.yaml")
    opened = open_campaign(paths.root)
    settle(opened)
    config: Any = opened.config
    assert config.prior.parameters == paths.inputs / "other.yaml"
    assert settle(open_campaign(paths.root)) == []
