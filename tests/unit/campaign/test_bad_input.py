"""Every mistake is one clear message and exit code 2, before anything is queued."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

REPOSITORY = Path(__file__).parents[3]
ALANINE = REPOSITORY / "examples" / "02_alanine_dipeptide" / "campaign.yaml"
WEFT = Path(sys.executable).with_name("weft")

PDB_WITH_NORLEUCINE = """\
ATOM      1  N   ALA A   1       0.000   0.000   0.000  1.00  0.00           N
ATOM      2  CA  ALA A   1       1.458   0.000   0.000  1.00  0.00           C
ATOM      3  C   ALA A   1       2.009   1.420   0.000  1.00  0.00           C
ATOM      4  O   ALA A   1       1.251   2.390   0.000  1.00  0.00           O
ATOM      5  N   NLE A   2       3.332   1.536   0.000  1.00  0.00           N
ATOM      6  CA  NLE A   2       3.990   2.838   0.000  1.00  0.00           C
ATOM      7  C   NLE A   2       5.504   2.693   0.000  1.00  0.00           C
ATOM      8  O   NLE A   2       6.032   1.580   0.000  1.00  0.00           O
END
"""


def weft(*arguments: str | Path, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [WEFT, *map(str, arguments)], cwd=folder, text=True, capture_output=True,
        check=False, timeout=120,
    )  # fmt: skip


def write_campaign(folder: Path, **changes: Any) -> Path:
    """Write the alanine campaign with ``section__key=value`` changed."""
    campaign = yaml.safe_load(ALANINE.read_text())
    for where, value in changes.items():
        *sections, key = where.split("__")
        target = campaign
        for section in sections:
            target = target[section]
        if value is None:
            del target[key]
        else:
            target[key] = value
    path = folder / "campaign.yaml"
    path.write_text(yaml.safe_dump(campaign))
    return path


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"sample__walkers": 4}, ["sample.walkers", "walkers_per_bin"]),
        ({"type": "force_feild"}, ["force_feild", "force_field"]),
        ({"type": None}, ["type", "force_field"]),
        ({"model__kind": "schnet"}, ["schnet", "torchmd_net"]),
        ({"sample__bins__kind": "hexagons"}, ["hexagons", "mab", "voronoi"]),
        (
            {"sample__bins": {"kind": "voronoi", "centers": [[0.0, 1.0]]}},
            ["sample.bins.voronoi", "2 centres or more; found 1"],
        ),
        (
            {"sample__targets": [{"region": [[1.0, None]]}]},
            ["outside the space", "1 dimensions, the bins divide 2"],
        ),
        ({"system__temperature_kelvin": -5}, ["temperature_kelvin", "greater than 0"]),
        ({"sample__n_iterations": 0}, ["n_iterations", "greater than 0", "0"]),
        ({"system__sequence": "AXB"}, ["sequence", "'X'", "position 2"]),
        ({"sample__segment_length_fs": 2100}, ["segment_length_fs", "whole number"]),
        ({"sample__frame_interval_fs": 202}, ["frame_interval_fs", "whole number"]),
        ({"tica__lag_ps": 900}, ["lag_ps", "shorter"]),
        ({"sample__bins": {"kind": "mab", "nbins": [4]}}, ["bins", "has 2"]),
        ({"name": "no/slashes"}, ["name"]),
    ],
)
def test_a_wrong_value_is_named(tmp_path, changes, said) -> None:
    campaign = write_campaign(tmp_path, **changes)
    done = weft("run", campaign, folder=tmp_path)
    assert done.returncode == 2, done.stdout + done.stderr
    for words in said:
        assert words in done.stderr
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, ["does not exist"]),
        ("not a structure\n", ["mine.pdb"]),
        (PDB_WITH_NORLEUCINE, ["NLE", "2"]),
    ],
)
def test_a_bad_structure_is_named(tmp_path, content, said) -> None:
    if content is not None:
        (tmp_path / "mine.pdb").write_text(content)
    system = {"pdb": "mine.pdb", "beads": "calpha"}
    campaign = write_campaign(tmp_path, system=system, tica={"lag_ps": 4})
    done = weft("run", campaign, folder=tmp_path)
    assert done.returncode == 2, done.stdout + done.stderr
    for words in said:
        assert words in done.stderr
    assert not (tmp_path / "runs").exists()


def test_a_site_without_a_role_is_refused(tmp_path) -> None:
    site = tmp_path / "mine.yaml"
    site.write_text(
        "executors:\n  one: {scheduler: local}\n  two: {scheduler: local}\n"
        "roles: {md: one, analysis: two}\n"
    )
    campaign = write_campaign(tmp_path)
    done = weft("run", campaign, "--site", site, folder=tmp_path)
    assert done.returncode == 2
    assert "train" in done.stderr
    assert not (tmp_path / "runs").exists()


def test_an_unknown_site_answers_with_those_that_exist(tmp_path) -> None:
    done = weft("run", write_campaign(tmp_path), "--site", "moon", folder=tmp_path)
    assert done.returncode == 2
    assert "slurm" in done.stderr


def test_text_that_is_no_yaml_is_refused(tmp_path) -> None:
    path = tmp_path / "campaign.yaml"
    path.write_text("name: [unclosed\n")
    done = weft("validate", path, folder=tmp_path)
    assert done.returncode == 2
    assert "YAML" in done.stderr


def test_help_validate_and_status_import_no_engine(tmp_path) -> None:
    script = (
        "import sys, campaign.cli, campaign.config, campaign.watching.status\n"
        "from pathlib import Path\n"
        f"campaign.config.load_campaign(Path({str(ALANINE)!r}))\n"
        "slow = {'torch', 'openmm', 'parsl', 'westpa', 'mdtraj', 'matplotlib'}\n"
        "print(sorted(slow & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def test_what_init_writes_is_valid(tmp_path) -> None:
    assert weft("init", "mine", folder=tmp_path).returncode == 0
    done = weft("validate", "campaign.yaml", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert weft("init", "mine", folder=tmp_path).returncode == 2
