"""Kinds from a folder outside the repository: on workers, and in trainings."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import torch
import yaml

EXAMPLE = Path(__file__).parents[2] / "examples" / "08_plug_in"
DAMPED = '''\
"""All-atom dynamics under a name of its own."""

from typing import Literal

from apps.science.propagators import openmm

Propagator = openmm.Propagator


class Config(openmm.Config):
    kind: Literal["damped"] = "damped"
    friction_per_ps: float = 5.0
'''


@pytest.fixture(scope="module")
def run_dir(tmp_path_factory: pytest.TempPathFactory, weft_in: Any) -> Path:
    """Run the example with a propagator more; its folder is gone afterwards."""
    weft = weft_in(tmp_path_factory.mktemp("plug_in"))
    asked = shutil.copytree(EXAMPLE, weft.folder / "asked")
    propagator = asked / "my_plugins" / "propagators" / "damped.py"
    propagator.parent.mkdir()
    propagator.write_text(DAMPED)
    body = yaml.safe_load((asked / "campaign.yaml").read_text())
    body["sample"]["propagator"] = {"kind": "damped"}
    (asked / "campaign.yaml").write_text(yaml.safe_dump(body, sort_keys=False))
    done = weft.call("run", asked / "campaign.yaml")
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    assert "brings code that is not weft's" in done.stdout
    shutil.rmtree(asked)
    found: Path = weft.folder / "runs" / "plug_in"
    return found


def test_segments_are_propagated_and_binned_by_them(run_dir: Path) -> None:
    spec = json.loads((run_dir / "we" / "propagation.json").read_text())
    assert spec["propagator"]["kind"] == "damped"
    assert spec["pcoord"]["kind"] == "end_distance"
    with h5py.File(run_dir / "we" / "west.h5") as h5:
        pcoord = h5["iterations/iter_00000003/pcoord"][:]
    assert (pcoord > 3).all()
    assert (pcoord < 12).all()
    assert np.unique(pcoord).size > pcoord.size // 2


def test_a_model_is_trained_and_judged_by_them(run_dir: Path) -> None:
    path = run_dir / "models" / "weighted" / "checkpoints" / "best.pt"
    content = torch.load(path, weights_only=True)
    assert content["model"]["kind"] == "pair_network"
    found = json.loads(
        (run_dir / "benchmark" / "weighted" / "metrics.json").read_text()
    )
    assert found["metrics"]["asphericity"]["defined"]
    assert "asphericity" in (run_dir / "report" / "index.html").read_text()


def test_their_hashes_are_recorded(run_dir: Path) -> None:
    files = json.loads((run_dir / "inputs" / "inputs.json").read_text())["files"]
    assert {one["copy"].removeprefix("inputs/plugins/") for one in files} == {
        "metrics/asphericity.py", "models/_pair_network_net.py",
        "models/pair_network.py", "pcoords/end_distance.py", "propagators/damped.py",
    }  # fmt: skip
    assert all(len(one["sha256"]) == 64 for one in files)
    assert "end_distance.py" in (run_dir / "campaign.log").read_text()


def test_commands_find_them_in_the_run_folder(run_dir: Path, weft_in: Any) -> None:
    weft = weft_in(run_dir.parents[1])
    for words in (
        ["report", run_dir],
        ["export", run_dir],
        ["simulate", run_dir / "models" / "weighted", "--steps", "40", "--every", "20"],
    ):
        done = weft.call(*words)
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
        assert "models/pair_network.py" in done.stdout


def test_the_contract_suites_of_the_example_pass_outside(tmp_path: Path) -> None:
    shutil.copytree(EXAMPLE, tmp_path / "mine")
    options = ["-q", "-W", "error::pytest.PytestWarning", "-p", "no:cacheprovider"]
    done = subprocess.run(
        [sys.executable, "-P", "-m", "pytest", *options, "."],
        cwd=tmp_path / "mine", capture_output=True, text=True, check=False,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-3000:]
    assert "skipped" not in done.stdout
