"""Status reads what is there, whatever a kill left of it."""

import json
import os
import time

import psutil
import pytest
from rich.console import Console

from apps.science.errors import ConfigError
from campaign.layout.run_dir import RunDir
from campaign.ledger import Ledger
from campaign.watching.display import status_table
from campaign.watching.notes import write_now
from campaign.watching.status import read_status


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


@pytest.mark.parametrize(
    "state", ["running", "queued", "interrupted", "done", "failed"]
)
def test_every_state_can_be_shown(paths, state) -> None:
    status = read_status(paths.root)
    for stage in status["stages"][:2]:
        stage["state"] = state
    console = Console(width=120, record=True)
    console.print(status_table(status | {"state": state}))
    shown = console.export_text()
    assert "prepare" in shown
    assert ("3/12 iterations" in shown) == (state != "failed")


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"stages": 3}', '{"stages": [3]}', '{"stages": [{}]}']
)
def test_a_damaged_list_of_stages_is_no_obstacle(paths, text) -> None:
    paths.stages.write_text(text)
    stages = read_status(paths.root)["stages"]
    assert [stage["name"] for stage in stages] == ["prepare", "sample", "report"]


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


def test_a_stage_is_queued_until_a_worker_begins_a_task_of_it(
    paths, monkeypatch
) -> None:
    me = psutil.Process()
    driver = {"pid": me.pid, "host": os.uname().nodename, "created": me.create_time()}
    paths.driver.write_text(json.dumps(driver))
    ledger, given = Ledger(paths.ledger), time.time() - 100
    with monkeypatch.context() as earlier:
        earlier.setattr(time, "time", lambda: given)
        for name in ("train_a", "train_b", "train_c"):
            ledger.append("started", name, queued=True)
        ledger.append("started", "report")  # which the driver writes itself
    names = ["sample", "train_a", "train_b", "train_c", "report"]
    ledger.append("run_started", stages=names)

    def stages() -> dict[str, tuple[str, float]]:
        found = read_status(paths.root)["stages"]
        return {s["name"]: (s["state"], s["started"]) for s in found}

    # where the driver has not said what runs, nothing is known better
    assert {state for state, _ in stages().values()} == {"running"}
    running = [
        {"app": "train_model", "role": "train", "stage": "train_a", "since": given + 40}
    ]
    write_now(paths, {"pools": [], "running": running})
    ended = {
        "app": "train_model", "role": "train", "stage": "train_b", "host": "n",
        "pid": 1, "started": given + 7, "ended": given + 30, "ok": True,
    }  # fmt: skip
    paths.tasks.mkdir()
    (paths.tasks / "n-1.jsonl").write_text(json.dumps(ended) + "\n")
    found = stages()
    assert found["train_a"] == ("running", pytest.approx(given + 40))
    assert found["train_b"] == ("running", pytest.approx(given + 7))
    assert found["train_c"][0] == "queued"
    assert found["sample"][0] == found["report"][0] == "running"
    shown = Console(width=120, record=True)
    shown.print(status_table(read_status(paths.root)))
    [line] = [x for x in shown.export_text().splitlines() if "train_c" in x]
    assert "queued" in line
    write_now(paths, {"pools": [], "running": [*running, running[0] | {"stage": ""}]})
    assert stages()["train_c"][0] == "running"  # a task that might be of any stage
    assert ":" not in line  # no time


def test_bytes_that_are_no_text_do_not_hide_a_run(paths) -> None:
    for path in (paths.ledger, paths.root / "jobs.jsonl"):
        with path.open("ab") as out:
            out.write(b"\xff\xfe\x00\n")
    assert read_status(paths.root)["state"] == "interrupted"
