"""What was expected of the alanine campaign beside what it took; the probe."""

import json

import h5py
import yaml

SMALL = {
    "reference": {"walk_length_ps": 100, "lineage_block_ps": 10},
    "sample": {"n_iterations": 4, "walkers_per_bin": 2},
    "training": {"n_epochs": 3},
    "model": {"kind": "cgschnet", "embedding_dimension": 8, "num_layers": 1},
    "benchmark": {"n_iterations": 4, "walkers_per_bin": 2},
}


def test_the_estimate_is_an_upper_bound_and_no_fancy(uninterrupted) -> None:
    kept = json.loads((uninterrupted / "estimate.json").read_text())
    works = {one["stage"]: one for one in kept["work"]}
    system = json.loads((uninterrupted / "system/system.json").read_text())
    assert works["sample"]["n_particles"] == system["n_particles"]
    with h5py.File(uninterrupted / "we" / "west.h5") as h5:
        n_segments = sum(len(g["seg_index"]) for g in h5["iterations"].values())
    assert 0.3 < n_segments / works["sample"]["amount"] <= 1.1
    files = [p for p in (uninterrupted / "we").rglob("*") if p.is_file()]
    on_disk = sum(path.stat().st_size for path in files)
    assert 0.3 < on_disk / works["sample"]["n_bytes"] < 1.2


def test_the_status_compares_with_what_was_expected(uninterrupted, weft) -> None:
    found = {one["stage"]: one for one in weft.status(uninterrupted)["estimate"]}
    sample = found["sample"]
    assert 0 < sample["n_segments"] <= 1.1 * sample["most_segments"]
    assert sample["expected_s"] is None
    shown = weft.call("status", uninterrupted).stdout
    assert "segments in all at this pace" in " ".join(shown.split())


def test_a_probe_runs_every_stage_and_leaves_only_its_times(
    weft, tmp_path, alanine_yaml
) -> None:
    asked = yaml.safe_load(alanine_yaml.read_text())
    for section, changes in SMALL.items():
        asked[section] = (asked[section] if section != "model" else {}) | changes
    campaign = tmp_path / "campaign.yaml"
    campaign.write_text(yaml.safe_dump(asked))
    done = weft.call("validate", campaign, "--probe")
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-2000:]
    assert "not measured" not in done.stdout, done.stdout[-4000:]
    assert "did not come to its end" not in done.stdout
    assert "at most once the workers are there" in done.stdout
    assert sorted(p.name for p in (tmp_path / "runs").iterdir()) == [".probes"]
    kept = json.loads((tmp_path / "runs/.probes/alanine_dipeptide.json").read_text())
    assert all(seconds > 0 for seconds in kept["expected_s"].values())
    assert set(kept["expected_s"]) >= {"reference", "sample", "train_weighted"}
