"""A run begins in a folder of its own, and nobody else's is touched."""

import shutil
from pathlib import Path

import pytest
from asked_campaign import Start, change, finish, settle

from apps.science.errors import ConfigError
from campaign.opening.resume import open_campaign
from campaign.opening.start import start_campaign


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
    with pytest.raises(ConfigError, match="made: a part of its path is a file"):
        start()
