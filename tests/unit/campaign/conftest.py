"""A run folder whose first stage is done and whose second has begun."""

from pathlib import Path

import pytest

from campaign.layout import RunDir
from campaign.ledger import Ledger


@pytest.fixture
def begun(tmp_path: Path) -> RunDir:
    paths = RunDir(tmp_path / "mine")
    paths.root.mkdir()
    ledger = Ledger(paths.ledger)
    ledger.append("run_started", stages=["prepare", "sample", "report"])
    ledger.append("started", "prepare")
    ledger.append("done", "prepare", seconds=61.0, outputs={})
    ledger.append("started", "sample")
    return paths
