"""Status reads what is there, whatever a kill left of it."""

import json

import pytest
from rich.console import Console

from apps.science.errors import ConfigError
from campaign.display import status_table
from campaign.layout import RunDir
from campaign.ledger import Ledger
from campaign.status import read_status


@pytest.fixture
def paths(begun: RunDir) -> RunDir:
    paths = begun
    progress = paths.progress("sample")
    progress.parent.mkdir()
    # not every writer gives a detail
    progress.write_text(json.dumps({"done": 3, "total": 12, "unit": "iterations"}))
    return paths


def test_a_run_whose_driver_is_gone_is_interrupted(paths) -> None:
    status = read_status(paths.root)
    assert status["state"] == "interrupted"
    states = {s["name"]: s["state"] for s in status["stages"]}
    assert states == {"prepare": "done", "sample": "interrupted", "report": "waiting"}
    assert status["stages"][1]["progress"]["share"] == pytest.approx(0.25)


@pytest.mark.parametrize("state", ["running", "interrupted", "done", "failed"])
def test_every_state_can_be_shown(paths, state) -> None:
    status = read_status(paths.root)
    for stage in status["stages"][:2]:
        stage["state"] = state
    console = Console(width=120, record=True)
    console.print(status_table(status | {"state": state}))
    shown = console.export_text()
    assert "prepare" in shown
    assert ("3/12 iterations" in shown) == (state != "failed")


def test_a_folder_that_is_no_run_is_refused(tmp_path) -> None:
    with pytest.raises(ConfigError, match=r"no resolved\.yaml"):
        read_status(tmp_path)


def test_what_was_kept_is_done_and_what_was_set_aside_waits(paths) -> None:
    ledger = Ledger(paths.ledger)
    ledger.append("kept", "prepare", message="it differs")
    ledger.append("again", "sample", message="it is in aside/")
    ledger.append("settings", message="changed settings were taken")
    states = {s["name"]: s["state"] for s in read_status(paths.root)["stages"]}
    assert states == {"prepare": "done", "sample": "waiting", "report": "waiting"}


def test_bytes_that_are_no_text_do_not_hide_a_run(paths) -> None:
    for path in (paths.ledger, paths.root / "jobs.jsonl"):
        with path.open("ab") as out:
            out.write(b"\xff\xfe\x00\n")
    assert read_status(paths.root)["state"] == "interrupted"
