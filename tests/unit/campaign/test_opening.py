"""What has changed since a run began is noticed, and said or refused."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml
from asked_campaign import PRIOR, Start, change, finish, settle

from apps.science.errors import ConfigError
from campaign.campaign_type import load_type
from campaign.config import load_campaign
from campaign.layout.protein_dir import ProteinDir
from campaign.ledger import Ledger
from campaign.opening.outdated import Outdated
from campaign.opening.resume import Allowed, open_campaign

REPOSITORY = Path(__file__).parents[3]
AGAIN = Allowed(outdated=Outdated(again=True))


def test_a_run_just_begun_goes_on_without_a_word(start: Start) -> None:
    assert settle(open_campaign(start().root)) == []


def test_a_changed_setting_that_nothing_depends_on_is_taken(start: Start) -> None:
    paths = start()
    finish(paths, "prepare", "reference", "tica")
    was = paths.resolved.read_text()
    change(paths.campaign, sample__walkers_per_bin=5, training__n_epochs=7)
    [said] = settle(open_campaign(paths.root))
    assert "training.n_epochs, sample.walkers_per_bin" in said
    assert "resolved.1.yaml" in said
    assert (paths.root / "resolved.1.yaml").read_text() == was
    resolved = yaml.safe_load(paths.resolved.read_text())
    assert resolved["sample"]["walkers_per_bin"] == 5
    [noted] = [e for e in Ledger(paths.ledger).entries() if e.event == "settings"]
    assert "sample.walkers_per_bin" in (noted.message or "")
    assert settle(open_campaign(paths.root)) == []


@pytest.mark.parametrize(
    ("setting", "value", "against"),
    [
        ("system__equilibration_ps", 8, "prepare"),
        ("reference__walk_length_ps", 800, "reference"),
        ("sample__platform", "CPU", "reference"),
        ("seed", 3, "prepare"),
        ("tica__lag_ps", 8, "tica"),
    ],
)
def test_a_setting_that_a_finished_stage_read_is_refused(
    start: Start, setting: str, value: Any, against: str
) -> None:
    paths = start()
    finish(paths, "prepare", "reference", "tica")
    before = paths.campaign.read_text()
    change(paths.campaign, **{setting: value})
    with pytest.raises(
        ConfigError, match=f"finished with .* as they were: {against}"
    ) as refused:
        open_campaign(paths.root)
    assert "--again" in str(refused.value)
    key = setting.rsplit("__", maxsplit=1)[-1]
    assert f"{key}: {value}" in str(refused.value).replace(".0", "")
    paths.campaign.write_text(before)  # undone
    assert settle(open_campaign(paths.root)) == []


def test_it_is_taken_where_what_depends_on_it_may_be_made_again(start: Start) -> None:
    paths = start()
    finish(paths, "prepare", "reference", "tica")
    change(paths.campaign, reference__walk_length_ps=800)
    settle(open_campaign(paths.root, AGAIN))
    ledger = Ledger(paths.ledger)
    assert [ledger.is_done(s) for s in ("prepare", "reference")] == [True, False]
    [aside] = (paths.root / "aside").glob("*_reference")
    assert (aside / "system" / "reference.txt").read_text() == "reference"
    assert settle(open_campaign(paths.root)) == []


def test_sampling_that_has_begun_stands_against_other_bins(start: Start) -> None:
    paths = start()
    finish(paths, "prepare", "reference", "tica")
    Ledger(paths.ledger).append("failed", "sample", message="bad bins")
    (paths.we / "journal").mkdir(parents=True)
    change(paths.campaign, sample__walkers_per_bin=5)
    # no iteration is closed: there is nothing to lose
    settle(open_campaign(paths.root))
    assert not paths.we.exists()
    assert len(list((paths.root / "aside").glob("*_sample/we/journal"))) == 1

    (paths.we / "journal").mkdir(parents=True)
    (paths.we / "journal" / "iter_000001.json").write_text("{}")
    change(paths.campaign, sample__walkers_per_bin=6)
    with pytest.raises(
        ConfigError, match="begun with the settings as they were: sample"
    ):
        open_campaign(paths.root)
    change(paths.campaign, sample__walkers_per_bin=5, sample__segments_per_block=3)
    settle(open_campaign(paths.root))  # how it is cut up changes no figure
    change(paths.campaign, sample__walkers_per_bin=6)
    settle(open_campaign(paths.root, AGAIN))
    assert not paths.we.exists()


def test_a_training_that_has_begun_is_not_thrown_away(start: Start) -> None:
    paths = start()
    last = paths.model("weighted") / "checkpoints" / "last.pt"
    last.parent.mkdir(parents=True)
    last.write_bytes(b"half")
    change(paths.campaign, training__n_epochs=7)
    with pytest.raises(ConfigError, match="settings as they were: train_weighted"):
        open_campaign(paths.root)
    settle(open_campaign(paths.root, AGAIN))
    [aside] = (paths.root / "aside").glob("*_train_weighted")
    assert (aside / "models" / "weighted" / "checkpoints" / "last.pt").exists()


@pytest.mark.parametrize("kind", ["force_field", "frames"])
def test_settings_and_stages_that_a_type_tells_of_exist(kind: str) -> None:
    campaign_type = load_type(kind)
    source = REPOSITORY / "examples"
    name = {"force_field": "02_alanine_dipeptide", "frames": "04_own_frames"}[kind]
    config = load_campaign(source / name / "campaign.yaml")
    body = config.model_dump(mode="json")
    kinds = {stage.kind for stage in campaign_type.stages(config)}
    assert campaign_type.READ_BY is not None
    for setting, readers in campaign_type.READ_BY.items():
        inner: Any = body
        for key in setting.split("."):
            assert key in inner, setting
            inner = inner[key]
        assert set(readers) <= kinds, setting
    told = {setting.split(".")[0] for setting in campaign_type.READ_BY}
    assert set(body) - told == {"name", "type", "plugins"}


def rewrite_environment(paths: ProteinDir, **packages: str) -> None:
    found = json.loads(paths.environment.read_text())
    found["packages"] |= packages
    paths.environment.write_text(json.dumps(found))


def test_versions_that_decide_figures_are_refused_until_allowed(start: Start) -> None:
    paths = start()
    rewrite_environment(paths, openmm="7.0", parsl="1.0")
    finish(paths, "prepare")
    with pytest.raises(ConfigError, match=r"openmm 7\.0 is now .*--other-versions"):
        open_campaign(paths.root)
    [said] = settle(open_campaign(paths.root, Allowed(other_versions=True)))
    assert "openmm 7.0 is now" in said
    assert "parsl 1.0 is now" in said
    assert json.loads((paths.root / "environment.1.json").read_text())["packages"][
        "openmm"
    ] == "7.0"  # fmt: skip
    [noted] = [e for e in Ledger(paths.ledger).entries() if e.event == "versions"]
    assert "openmm" in (noted.message or "")
    assert settle(open_campaign(paths.root)) == []  # said once


def test_other_versions_are_only_said_where_they_decide_nothing(start: Start) -> None:
    paths = start()
    rewrite_environment(paths, parsl="1.0")
    found = json.loads(paths.environment.read_text())
    paths.environment.write_text(json.dumps(found | {"git": "0" * 40}))
    finish(paths, "prepare")
    [said] = settle(open_campaign(paths.root))
    assert "parsl 1.0 is now" in said
    if found["git"]:
        assert f"weft's source 000000000000 is now {found['git'][:12]}" in said


def test_another_format_of_files_is_refused(start: Start) -> None:
    paths = start()
    found = json.loads(paths.environment.read_text())
    found["formats"]["segments"] = "weft-segments-0"
    paths.environment.write_text(json.dumps(found))
    settle(open_campaign(paths.root))  # nothing was begun with it
    paths.environment.write_text(json.dumps(found))
    finish(paths, "prepare")
    with pytest.raises(ConfigError, match="the format of segments weft-segments-0"):
        open_campaign(paths.root)


@pytest.mark.parametrize("name", ["campaign.yaml", "resolved.yaml", "environment.json"])
@pytest.mark.parametrize("damage", [b"a: [", b"\xff\xfe\x00", b"[1]", None])
def test_a_damaged_file_of_a_run_is_named_and_can_be_moved_away(
    start: Start, tmp_path: Path, name: str, damage: bytes | None
) -> None:
    paths = start()
    finish(paths, "prepare")
    path = paths.root / name
    if damage is None:
        path.unlink()
        path.mkdir()
    else:
        path.write_bytes(damage)
    with pytest.raises(ConfigError, match=name) as refused:
        open_campaign(paths.root)
    assert "ove it away" in str(refused.value)
    path.rename(tmp_path / "away")
    [said] = settle(open_campaign(paths.root))
    assert f"{name} is gone" in said
    again = settle(open_campaign(paths.root))
    assert (again == []) == (name != "campaign.yaml")


def test_a_run_that_an_earlier_version_began_goes_on(
    start: Start, tmp_path: Path
) -> None:
    paths = start()
    finish(paths, "prepare")
    shutil.rmtree(paths.inputs)  # none were kept, and paths were absolute
    resolved = yaml.safe_load(paths.resolved.read_text())
    del resolved["copy_inputs_mb"]
    resolved["prior"]["parameters"] = str(tmp_path / "asked" / "mine.yaml")
    paths.resolved.write_text(yaml.safe_dump(resolved, sort_keys=False))
    environment = json.loads(paths.environment.read_text())
    del environment["formats"], environment["packages"]["numba"]
    paths.environment.write_text(json.dumps(environment))
    assert settle(open_campaign(paths.root)) == []
    change(paths.campaign, training__n_epochs=7)
    [said] = settle(open_campaign(paths.root))
    assert "training.n_epochs" in said
    assert (paths.inputs / "mine.yaml").read_text() == PRIOR
    assert settle(open_campaign(paths.root)) == []


def test_a_folder_that_is_no_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="is not a run folder"):
        open_campaign(tmp_path)
