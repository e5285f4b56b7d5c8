"""The ledger is believed only where the outputs are as recorded."""

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
