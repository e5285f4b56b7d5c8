"""What the status tells of the newest WE iteration."""

import json
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from campaign.declared import Stage, write_stages
from campaign.layout.run_dir import RunDir
from campaign.ledger import Ledger
from campaign.watching.last_iteration import read_last_iteration, say_iteration
from campaign.watching.status import read_status


@pytest.fixture
def sampling(synthetic: ModuleType, tmp_path: Path) -> Path:
    """A run folder whose sample stage has closed nine iterations."""
    root = tmp_path / "mine"
    for n in range(1, 10):
        weight = np.full(24, 1 / 24)
        pcoord = np.linspace(0, n, 48).reshape(24, 2, 1)
        folder = root / "we"
        synthetic.ensemble.write_record(folder, n, weight, pcoord, "shards/1/seg.h5")
    ledger = Ledger(root / "ledger.jsonl")
    ledger.append("run_started", stages=["prepare", "sample", "report"])
    ledger.append("started", "sample")
    write_stages(RunDir(root), [Stage("sample", we="we")])
    return root


def test_the_status_tells_the_newest_iteration(sampling: Path) -> None:
    stages = {s["name"]: s for s in read_status(sampling)["stages"]}
    last = stages["sample"]["iteration"]
    assert last["n_iter"] == 9
    assert last["ess"] == pytest.approx(24.0)
    assert last["pcoord_max"] == [9.0]
    assert last["n_blocks_rerun"] == 1
    assert stages["prepare"]["iteration"] is None


def test_an_iteration_is_said_in_a_line(sampling: Path) -> None:
    last = read_last_iteration(sampling / "we")
    assert last is not None
    said = say_iteration(last | {"flux": {"folded": 2.5e-7}, "idle_share": 0.04})
    assert said == (
        "iteration 9: 24 walkers, 7 bins, ESS 24.0, 4% idle, "
        "flux into folded 2.5·10⁻⁷, blocks sent again: 1"
    )


def test_an_older_or_a_torn_record_is_no_obstacle(
    synthetic: ModuleType, sampling: Path
) -> None:
    synthetic.ensemble.make_journal_old(sampling / "we")
    last = read_last_iteration(sampling / "we")
    assert last is not None
    assert say_iteration(last) == "iteration 9: 24 walkers, 7 bins, ESS 24.0"
    (sampling / "we" / "journal" / "iter_000009.json").write_text(json.dumps([1]))
    assert read_last_iteration(sampling / "we") is None
    assert read_last_iteration(sampling / "nothing") is None
