"""Run folders: one whose second stage has begun, and a campaign that was started."""

import shutil
from pathlib import Path
from typing import Any

import pytest
from asked_campaign import PRIOR, Start, change

from campaign.declared import Stage, write_stages
from campaign.layout.protein_dir import ProteinDir
from campaign.ledger import Ledger
from campaign.opening.start import start_campaign


@pytest.fixture
def begun(tmp_path: Path) -> ProteinDir:
    paths = ProteinDir(tmp_path / "mine")
    paths.root.mkdir()
    ledger = Ledger(paths.ledger)
    ledger.append("run_started", stages=["prepare", "sample", "report"])
    ledger.append("started", "prepare")
    ledger.append("done", "prepare", seconds=61.0, outputs={})
    ledger.append("started", "sample")
    sample = Stage("sample", brief="sample by weighted ensemble", we="we")
    write_stages(paths, [Stage("prepare"), sample, Stage("report", at_once=True)])
    return paths


@pytest.fixture
def start(tmp_path: Path, alanine_yaml: Path) -> Start:
    """Return what starts the alanine campaign with a prior of its own, in runs/."""
    source = tmp_path / "asked" / "campaign.yaml"
    source.parent.mkdir()
    shutil.copyfile(alanine_yaml, source)
    (source.parent / "mine.yaml").write_text(PRIOR)
    change(source, name="mine", prior__parameters="mine.yaml")

    def start_changed(**changes: Any) -> ProteinDir:
        change(source, **changes)
        run = start_campaign(source, "local", tmp_path / "runs")
        return ProteinDir(run.root)

    return start_changed
