"""The ledger is believed only where the outputs are as recorded."""

import json
from pathlib import Path

import pytest

from campaign.ledger import Ledger


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return Ledger(tmp_path / "ledger.jsonl")


def test_a_stage_is_done_while_its_outputs_are_unchanged(ledger, tmp_path) -> None:
    out = tmp_path / "out.txt"
    out.write_text("forces")
    ledger.record_done("train", 1.5, [out])
    assert ledger.is_done("train")
    out.write_text("forced")
    assert not ledger.is_done("train")
    out.unlink()
    assert not ledger.is_done("train")


def test_an_unknown_stage_is_not_done(ledger) -> None:
    assert not ledger.is_done("train")


def test_a_line_torn_by_a_kill_harms_no_other(ledger, tmp_path) -> None:
    ledger.append("started", "prepare")
    with ledger.path.open("ab") as out:
        out.write(b'{"time": 1, "event": "do')
    ledger.append("started", "train")
    assert [e.stage for e in ledger.entries()] == ["prepare", "train"]


def test_what_a_later_version_notes_does_not_undo_a_stage(ledger, tmp_path) -> None:
    out = tmp_path / "out.txt"
    out.write_text("forces")
    ledger.record_done("train", 1.5, [out])
    line = json.loads(ledger.path.read_text()) | {"colour": "blue"}
    ledger.path.write_text(json.dumps(line) + "\n")
    ledger.append("dreamt", "train", of="sheep")
    assert ledger.is_done("train")
    assert [e.event for e in ledger.entries()] == ["done"]


def test_bytes_that_are_no_text_are_passed_over_and_said(ledger, caplog) -> None:
    ledger.append("started", "prepare")
    with ledger.path.open("ab") as out:
        out.write(b"\xff\xfe\x00 nothing\n[1, 2]\n")
    ledger.append("started", "train")
    assert [e.stage for e in ledger.entries()] == ["prepare", "train"]
    assert "line 2 cannot be read" in caplog.text
    assert "line 3 cannot be read" in caplog.text


def test_files_made_again_are_told_by_what_they_mean(ledger, tmp_path) -> None:
    structure, made = tmp_path / "in.pdb", tmp_path / "made.txt"
    made.write_text("of it")

    def finish(text: str) -> None:
        structure.write_text(text)
        ledger.record_done("prepare", 1.0, [structure])

    finish("REMARK of Monday\nATOM 1\n")
    ledger.record_done("train", 1.0, [made])
    finish("REMARK of Tuesday\nATOM 1\n")
    assert ledger.find_outdated("train", ["prepare"]) is None
    finish("REMARK of Tuesday\nATOM 2\n")
    assert ledger.find_outdated("train", ["prepare"]) == "prepare"
    assert ledger.find_changed("prepare") == ["in.pdb"]
