"""One campaign.yaml: two proteins, one prior, several models, each judged on both."""

import csv
import json
from pathlib import Path
from typing import Any

import h5py
import mdtraj
import pytest
import torch
import yaml

EXAMPLE = Path(__file__).parents[2] / "examples" / "05_two_proteins" / "campaign.yaml"
SHORT: dict[str, dict[str, Any]] = {
    "reference": {"n_walks": 2, "walk_length_ps": 4, "frame_interval_ps": 0.1,
                  "lineage_block_ps": 1},
    "tica": {"lag_ps": 0.2},
    "sample": {"n_iterations": 3, "walkers_per_bin": 2,
               "bins": {"kind": "mab", "nbins": [2, 2]}, "segment_length_fs": 400,
               "frame_interval_fs": 80},
    "mapping": {"force_map": "auto"},
    "prior": {"gate_steps": 2000},
    "model": {"kind": "cgschnet", "embedding_dimension": 16, "num_layers": 1},
    "training": {"n_epochs": 2, "batch_size": 32, "protein_balance": "equal"},
    "experiments": {
        "variants": {"weighted": {}, "soft": {"prior": {"dihedral_scale": 0.5}}}
    },
    "benchmark": {"n_iterations": 2, "walkers_per_bin": 2, "n_bootstrap": 20,
                  "bins": {"kind": "mab", "nbins": [2, 2]}, "segment_length_fs": 400,
                  "frame_interval_fs": 80, "n_starts": 2},
}  # fmt: skip
PROTEINS = {"chignolin": 10, "trp_cage": 20}


@pytest.fixture(scope="module")
def run_dir(tmp_path_factory: pytest.TempPathFactory, weft_in: Any) -> Path:
    """Run the example, shortened and in vacuum."""
    weft = weft_in(tmp_path_factory.mktemp("two"))
    done = weft.call("run", write_campaign(weft.folder))
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    found: Path = weft.folder / "runs" / "two_proteins"
    return found


def write_campaign(folder: Path) -> Path:
    body = yaml.safe_load(EXAMPLE.read_text()) | SHORT
    for system in body["proteins"].values():
        system |= {"solvent": "vacuum", "equilibration_ps": 0.4}
    campaign = folder / "campaign.yaml"
    campaign.write_text(yaml.safe_dump(body, sort_keys=False))
    return campaign


def test_both_are_in_one_training_set_with_one_prior(run_dir: Path) -> None:
    with h5py.File(run_dir / "cg" / "dataset.h5") as h5:
        shapes = {name: group["pos"].shape[1] for name, group in h5["mol"].items()}
        assert shapes == PROTEINS
        assert len({g.attrs["prior_sha256"] for g in h5["mol"].values()}) == 1
    for name in PROTEINS:
        said = json.loads((run_dir / f"proteins/{name}/cg/prior_fit.json").read_text())
        assert said["gate"]["passed"] is True
    # the second model learnt from what a prior of its own leaves
    priors = (run_dir / "cg/prior.yaml", run_dir / "cg/soft/prior.yaml")
    assert len({path.read_text() for path in priors}) == 2


def test_each_has_its_quietest_force_map(run_dir: Path) -> None:
    with h5py.File(run_dir / "cg" / "dataset.h5") as h5:
        used = {name: group.attrs["force_map"] for name, group in h5["mol"].items()}
    for name in PROTEINS:
        home = run_dir / "proteins" / name
        found = json.loads((home / "cg/force_maps.json").read_text())
        assert found["asked"] == "auto"
        noise = {
            kind: row["mean_squared_force"]
            for kind, row in found["maps"].items()
            if row["is_consistent"]
        }
        assert used[name] == found["chosen"] == min(noise, key=noise.__getitem__)
        page = (home / "report" / "index.html").read_text()
        assert f"Auto takes {found['chosen']}" in page


@pytest.mark.parametrize("model", ["weighted", "soft"])
def test_one_model_runs_both(run_dir: Path, model: str) -> None:
    checkpoint = torch.load(
        run_dir / f"models/{model}/checkpoints/best.pt", weights_only=True
    )
    assert set(checkpoint["proteins"]) == set(PROTEINS)
    for name in PROTEINS:
        metrics = run_dir / f"proteins/{name}/benchmark/{model}/metrics.json"
        assert json.loads(metrics.read_text())["metrics"]["tic0"]["defined"]


def test_a_trained_model_is_simulated_as_either(
    run_dir: Path, weft_in: Any, tmp_path: Path
) -> None:
    weft = weft_in(tmp_path)
    model = run_dir / "models" / "weighted"
    for name, n_beads in PROTEINS.items():
        done = weft.call("simulate", model, "--protein", name, "--steps", "200",
                         "--out", tmp_path / name)  # fmt: skip
        assert done.returncode == 0, done.stderr
        (trajectory,) = (tmp_path / name).glob("*.dcd")
        (topology,) = (tmp_path / name).glob("*.pdb")
        assert mdtraj.load(str(trajectory), top=str(topology)).n_atoms == n_beads
    refused = weft.call("simulate", model, "--steps", "200", "--out", tmp_path / "x")
    assert refused.returncode == 1
    assert "chignolin, trp_cage" in refused.stderr


def test_experiments_end_in_one_table(run_dir: Path) -> None:
    table = (run_dir / "experiments/table.csv").read_text()
    rows = list(csv.DictReader(table.splitlines()))
    assert [row["name"] for row in rows] == ["weighted", "soft"]
    assert [row["prior.dihedral_scale"] for row in rows] == ["", "0.5"]
    for row in rows:
        assert float(row["val_loss_weighted"]) > 0
        for name in PROTEINS:
            assert int(row[f"{name}.place"]) in {1, 2}
            low, value, high = (
                float(row[f"{name}.kl_tic0{end}"]) for end in ("_low", "", "_high")
            )
            assert low <= value <= high


def test_the_page_leads_to_a_page_of_each_protein(run_dir: Path) -> None:
    page = (run_dir / "report/index.html").read_text()
    assert "could not be drawn" not in page
    for name in PROTEINS:
        assert f'href="../proteins/{name}/report/index.html"' in page
        own = (run_dir / f"proteins/{name}/report/index.html").read_text()
        assert "could not be drawn" not in own


def test_data_and_references_of_each_are_found(
    run_dir: Path, weft_in: Any, tmp_path: Path
) -> None:
    weft = weft_in(tmp_path)
    shown = weft.call("data", run_dir)
    assert shown.returncode == 0, shown.stderr
    refused = weft.call("benchmark", run_dir, "go")
    assert refused.returncode != 0
    assert "proteins/trp_cage" in refused.stderr
    done = weft.call(
        "export", run_dir, "--stage", "sample@chignolin", "--out", tmp_path / "dcd"
    )
    assert done.returncode == 0, done.stderr


def test_kills_between_proteins_and_models_change_nothing(run_dir: Path, weft) -> None:
    again = weft.folder / "runs" / "two_proteins"
    log = again / "campaign.log"
    start: tuple[str | Path, ...] = ("run", write_campaign(weft.folder))
    for mark in ("sample@trp_cage: started", "benchmark_weighted@trp_cage: started"):
        driver = weft.start(*start)
        weft.wait_for(driver, lambda: log.exists() and mark in log.read_text())  # noqa: B023
        weft.kill(driver)
        start = ("resume", again)
    done = weft.call("resume", again)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    names = ["table.csv", *(f"figures_{name}.csv" for name in PROTEINS)]
    for name in names:
        there, here = (run / "experiments" / name for run in (run_dir, again))
        assert here.read_text() == there.read_text()
    finished = [
        entry["stage"]
        for line in (again / "ledger.jsonl").read_text().splitlines()
        if (entry := json.loads(line))["event"] == "done"
    ]
    assert len(finished) == len(set(finished))
