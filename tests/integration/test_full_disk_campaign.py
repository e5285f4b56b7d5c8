"""A campaign on a full disk: one sentence, no traceback; with room, it goes on."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

WEFT = Path(sys.executable).with_name("weft")
ROOT = Path(__file__).parents[2]
FILL = Path(__file__).with_name("fill_disk_of_campaign.py")
NAMESPACE = ["unshare", "--mount"] if os.getuid() == 0 else ["unshare", "-Urm"]
SCRIPT = (
    'mount -t tmpfs -o size=300k none "$1" || exit 99; cd "$1"; '
    'exec "$0" run "$2" --runs runs'
)
SMALL: dict[str, dict[str, Any]] = {
    "system": {"solvent": "vacuum", "equilibration_ps": 0.4},
    "reference": {"walk_length_ps": 80, "lineage_block_ps": 8},
    "sample": {"n_iterations": 6, "walkers_per_bin": 2},
    "prior": {"gate_steps": 1000},
    "model": {"kind": "cgschnet", "embedding_dimension": 8, "num_layers": 1},
    "training": {"n_epochs": 5},
    "benchmark": {
        "n_iterations": 4,
        "walkers_per_bin": 2,
        "n_bootstrap": 20,
        "segment_length_fs": 400,
        "frame_interval_fs": 80,
    },
}


def test_a_campaign_that_fills_its_disk_says_so_in_one_line(
    tmp_path, alanine_yaml
) -> None:
    done = subprocess.run(
        [*NAMESPACE, "sh", "-c", SCRIPT, WEFT, tmp_path, alanine_yaml],
        capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip
    if done.returncode == 99 or "unshare" in done.stderr:
        pytest.skip("nothing may be mounted here")
    assert done.returncode == 1, done.stderr
    check_sentence(done.stderr, tmp_path, "runs/alanine_dipeptide")
    assert "Traceback" not in done.stdout


def check_sentence(said: str, disk: Path, run_dir: str) -> None:
    (line,) = said.splitlines()
    assert line.startswith("weft: The disk is full: ")
    assert f"the tmpfs file system at {disk}" in line
    assert line.endswith(f"with room again: weft resume {run_dir}")


@pytest.mark.slow
def test_with_room_it_ends_as_one_that_met_no_full_disk(
    tmp_path, alanine_yaml, weft, compare_campaigns: Callable[[Path, Path], None]
) -> None:
    campaign = yaml.safe_load(alanine_yaml.read_text()) | {"name": "small"}
    for section, changes in SMALL.items():
        kept = {} if section == "model" else campaign[section]
        campaign[section] = kept | changes
    written = tmp_path / "campaign.yaml"
    written.write_text(yaml.safe_dump(campaign))
    for folder in (disk := tmp_path / "disk", out := tmp_path / "out"):
        folder.mkdir()
    stages = ("sample", "train_weighted")
    filled = subprocess.run(
        [*NAMESPACE, sys.executable, FILL, WEFT, written, disk, out, *stages],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if filled.returncode == 99 or "unshare" in filled.stderr:
        pytest.skip("nothing may be mounted here")
    assert filled.returncode == 0, filled.stderr
    *full, last = json.loads((out / "starts.json").read_text())
    for start in full:
        assert start["full"], start
        assert start["returncode"] == 1, start
        check_sentence(start["stderr"], disk, "runs/small")
        assert "Error:" not in start["stdout"]
    assert last["returncode"] == 0, last
    undisturbed = weft.call("run", written)
    assert undisturbed.returncode == 0, undisturbed.stderr
    compare_campaigns(out / "run", tmp_path / "runs" / "small")
