"""The sixth example, shortened: what beads hide makes the unweighted model wrong."""

import json
import math
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import yaml

from campaign.layout.protein_dir import ProteinDir
from campaign.report.parts.learnt_source import LearntSource
from campaign.report.parts.we.ensemble_reach import coordinate_names

EXAMPLE = Path(__file__).parents[2] / "examples" / "06_weights_matter" / "campaign.yaml"
SHORT: dict[str, dict[str, Any]] = {
    "reference": {"n_walks": 2, "walk_length_ps": 1500, "frame_interval_ps": 0.5,
                  "lineage_block_ps": 50},
    "prior": {"gate_steps": 2000},
    "training": {"n_epochs": 12, "batch_size": 128},
    "benchmark": {"n_iterations": 20, "n_bootstrap": 50},
}  # fmt: skip


@pytest.fixture(scope="module")
def run_dir(
    tmp_path_factory: pytest.TempPathFactory, weft_in: Any, other_seed: int
) -> Path:
    weft = weft_in(tmp_path_factory.mktemp("hidden"))
    body = yaml.safe_load(EXAMPLE.read_text())
    for section, settings in SHORT.items():
        body[section] |= settings
    body["seed"] += other_seed
    body["sample"]["n_iterations"] = 150
    variants = body["experiments"]["variants"]
    body["experiments"]["variants"] = {
        name: {**variants[name], "dataset": {"burn_in_iterations": 60}}
        for name in ("weighted", "unweighted")
    }
    campaign = weft.folder / "campaign.yaml"
    campaign.write_text(yaml.safe_dump(body, sort_keys=False))
    done = weft.call("run", campaign)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    found: Path = weft.folder / "runs" / body["name"]
    return found


def test_walkers_are_binned_on_torsions_that_the_beads_hide(run_dir: Path) -> None:
    spec = json.loads((run_dir / "we" / "propagation.json").read_text())
    assert spec["pcoord"]["kind"] == "dihedrals"
    assert spec["pcoord"]["topology"].endswith("system/protein.pdb")
    with h5py.File(run_dir / "we" / "west.h5", "r", locking=False) as h5:
        pcoord = h5["iterations/iter_00000100/pcoord"][:]
    assert pcoord.shape[2] == 1
    assert np.ptp(pcoord[:, -1, 0]) > 180.0
    mapping = json.loads((run_dir / "cg" / "mapping.json").read_text())
    assert len(mapping["dihedrals"]) == 1
    assert coordinate_names(LearntSource(ProteinDir(run_dir)), 1) == ["phi, degrees"]
    assert (run_dir / "report" / "figures" / "we_reach.png").exists()


@pytest.mark.random_outcome
def test_the_unweighted_model_is_wrong_and_the_weighted_one_is_not(
    run_dir: Path, margin: Any
) -> None:
    kl = {}
    for name in ("weighted", "unweighted"):
        body = json.loads((run_dir / "benchmark" / name / "metrics.json").read_text())
        kl[name] = body["metrics"]["dihedrals"]["figures"]["kl"]["value"]
    ratio = kl["unweighted"] / kl["weighted"]
    margin("ln of unweighted / weighted", math.log(ratio), above=0.0)
