"""What a run began with is kept, and what has changed since is noticed and said."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from apps.science.errors import ConfigError
from apps.science.plugins import load_kind
from campaign.config import TYPES, load_campaign
from campaign.context import Outdated
from campaign.layout import RunDir
from campaign.ledger import Ledger
from campaign.opening import Allowed, Opened, open_campaign
from campaign.stage_names import read_stage
from campaign.starting import start_campaign

REPOSITORY = Path(__file__).parents[3]
ALANINE = REPOSITORY / "examples" / "02_alanine_dipeptide" / "campaign.yaml"
PRIOR = "units: {}\n"
AGAIN = Allowed(outdated=Outdated(again=True))

Start = Callable[..., RunDir]


def change(path: Path, **changes: Any) -> None:
    """Write ``section__key=value`` into a campaign.yaml."""
    body = yaml.safe_load(path.read_text())
    for where, value in changes.items():
        *sections, key = where.split("__")
        target = body
        for section in sections:
            target = target.setdefault(section, {})
        target[key] = value
    path.write_text(yaml.safe_dump(body))


@pytest.fixture
def start(tmp_path: Path) -> Start:
    """Return what starts the alanine campaign with a prior of its own, in runs/."""
    source = tmp_path / "asked" / "campaign.yaml"
    source.parent.mkdir()
    shutil.copyfile(ALANINE, source)
    (source.parent / "mine.yaml").write_text(PRIOR)
    change(source, name="mine", prior__parameters="mine.yaml")

    def start_changed(**changes: Any) -> RunDir:
        change(source, **changes)
        return start_campaign(source, "local", tmp_path / "runs")

    return start_changed


def finish(paths: RunDir, *stages: str) -> None:
    """Note stages as done, each with a file."""
    ledger = Ledger(paths.ledger)
    for stage in stages:
        out = paths.root / "system" / f"{stage}.txt"
        out.parent.mkdir(exist_ok=True)
        out.write_text(stage)
        ledger.append("started", stage)
        ledger.record_done(stage, 1.0, [out])


def settle(opened: Opened) -> list[str]:
    opened.settle()
    return opened.said


def test_a_run_just_begun_goes_on_without_a_word(start: Start) -> None:
    assert settle(open_campaign(start().root)) == []


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
    module = load_kind(TYPES, kind)
    source = REPOSITORY / "examples"
    name = {"force_field": "02_alanine_dipeptide", "frames": "04_own_frames"}[kind]
    config = load_campaign(source / name / "campaign.yaml")
    body = config.model_dump(mode="json")
    stages = {read_stage(stage).kind for stage in module.stage_names(config)}
    for setting, readers in module.READ_BY.items():
        inner: Any = body
        for key in setting.split("."):
            assert key in inner, setting
            inner = inner[key]
        assert set(readers) <= stages, setting
    assert set(module.KEEPS) <= stages
    told = {setting.split(".")[0] for setting in module.READ_BY}
    assert set(body) - told == {"name", "type"}


def test_a_run_given_anew_with_another_setting_is_told_how_to_go_on(
    start: Start, tmp_path: Path
) -> None:
    paths = start()
    finish(paths, "prepare")
    source = tmp_path / "asked" / "campaign.yaml"
    change(source, training__n_epochs=7)
    with pytest.raises(ConfigError, match="To go on with the change: cp ") as said:
        start_campaign(source, "local", tmp_path / "runs")
    assert "parameters" not in str(said.value)
    shutil.copyfile(source, paths.campaign)  # what it says to do
    assert "training.n_epochs" in settle(open_campaign(paths.root))[0]
    change(source, seed=8)
    with pytest.raises(ConfigError, match="give it another name"):
        start_campaign(source, "local", tmp_path / "runs")


def rewrite_environment(paths: RunDir, **packages: str) -> None:
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


@pytest.mark.parametrize(
    "left", [(), ("campaign.yaml",), ("campaign.yaml", "site.yaml")]
)
def test_what_a_killed_start_left_does_not_block_the_name(
    start: Start, tmp_path: Path, left: tuple[str, ...]
) -> None:
    half = tmp_path / "runs" / "mine"
    half.mkdir(parents=True)
    for name in left:
        (half / name).write_text("half")
    paths = start()
    assert settle(open_campaign(paths.root)) == []
    [aside] = (tmp_path / "runs").glob("mine.half-made-*")
    assert sorted(p.name for p in aside.iterdir()) == sorted(left)


def test_a_folder_of_somebody_else_is_left_alone(start: Start, tmp_path: Path) -> None:
    theirs = tmp_path / "runs" / "mine"
    theirs.mkdir(parents=True)
    (theirs / "thesis.tex").write_text("years")
    with pytest.raises(ConfigError, match="exists but is no run folder"):
        start()
    assert (theirs / "thesis.tex").read_text() == "years"


def test_a_place_that_cannot_hold_runs_is_named(start: Start, tmp_path: Path) -> None:
    (tmp_path / "runs").write_text("a file")
    with pytest.raises(ConfigError, match="cannot be made: Not a directory"):
        start()
