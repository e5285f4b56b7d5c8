"""A model is learnt from frames with forces that were made elsewhere, and judged."""

import json
import zipfile
from pathlib import Path

import h5py
import numpy as np
import pytest
import yaml

from apps.science.cg.mapping.mapping import read_mapping

FIVE_BEADS = """\
ATOM      1  C   ACE A   1       1.555   0.000   0.000  1.00  0.00           C
ATOM      2  N   ALA A   2       2.150   1.200   0.000  1.00  0.00           N
ATOM      3  CA  ALA A   2       3.600   1.300   0.100  1.00  0.00           C
ATOM      4  C   ALA A   2       4.100   2.500   0.900  1.00  0.00           C
ATOM      5  N   NME A   3       5.400   2.600   1.000  1.00  0.00           N
END
"""


@pytest.fixture
def campaign(uninterrupted: Path, tmp_path: Path) -> Path:
    """Write the beads of a sampled dipeptide as arrays, and a campaign on them."""
    with h5py.File(uninterrupted / "cg" / "dataset.h5") as h5:
        (protein,) = h5["mol"].values()
        np.save(tmp_path / "x.npy", protein["pos"][:1500] / 10)
        np.save(tmp_path / "f.npy", protein["force_cg"][:1500] * 41.84)
    (tmp_path / "beads.pdb").write_text(FIVE_BEADS)
    body = {
        "name": "own", "type": "frames", "seed": 3,
        "system": {
            "topology": "beads.pdb", "positions": "x.npy", "forces": "f.npy",
            "length_unit": "nanometer", "force_unit": "kJ/mol/nm",
            "beads": "backbone", "lineage_block_ps": 50,
        },
        "mapping": {"force_map": "auto"},
        "tica": {"features": "dihedrals"},
        "prior": {"terms": ["bonds", "angles", "dihedrals"], "gate_steps": 2000,
                  "shared_dihedral": False, "dihedral_scale": 1.0},
        # as in examples/04_own_frames, only smaller
        "model": {"kind": "cgnet", "n_beads": 5, "width": 16, "n_members": 2},
        "training": {"n_epochs": 3, "noise_angstrom": 0.005, "noise_pairs": True,
                     "noise_force_share": 0.4},
        "simulation": {"n_replicas": 8, "length_ps": 20, "n_bootstrap": 20},
    }  # fmt: skip
    path = tmp_path / "campaign.yaml"
    path.write_text(yaml.safe_dump(body))
    return path


def test_a_campaign_on_own_frames_ends_with_a_judged_model_and_can_be_packed(
    campaign, weft, weft_in
) -> None:
    done = weft.call("run", campaign)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    run_dir = weft.folder / "runs" / "own"
    mapping = read_mapping(run_dir / "cg" / "mapping.json")
    assert (mapping.n_beads, len(mapping.dihedrals)) == (5, 2)
    metrics = json.loads((run_dir / "benchmark/weighted/metrics.json").read_text())
    assert len(metrics["metrics"]["torsions"]["details"]["each"]) == 2
    with h5py.File(run_dir / "cg" / "dataset.h5") as h5:
        (protein,) = h5["mol"].values()
        force = np.load(weft.folder / "f.npy")[protein["seg_id"][:]] / 41.84
        np.testing.assert_allclose(protein["force_cg"][:], force, rtol=1e-4, atol=1e-3)
    page = (run_dir / "report" / "index.html").read_text()
    assert "could not be drawn" not in page
    assert "forces come mapped to beads already" in page
    again = weft.call("resume", run_dir)
    assert again.returncode == 0, again.stderr
    check_bundle(run_dir, weft, weft_in)


def check_bundle(run_dir, weft, weft_in) -> None:
    """Run what was packed in another place, without the files it was made of."""
    packed = weft.call("report", run_dir, "own.zip", "--bundle")
    assert packed.returncode == 0, packed.stderr
    for name in ("x.npy", "f.npy", "beads.pdb", "campaign.yaml"):
        (weft.folder / name).unlink()
    elsewhere = weft.folder / "elsewhere"
    with zipfile.ZipFile(weft.folder / "own.zip") as members:
        members.extractall(elsewhere)
    done = weft_in(elsewhere).call("run", "own/campaign.yaml")
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    twin = elsewhere / "runs" / "own"
    asked = [(folder / "resolved.yaml").read_text() for folder in (twin, run_dir)]
    assert asked[0] == asked[1]
    kept = (elsewhere / "own", run_dir)
    for folder in kept:
        name = "benchmark/weighted/metrics.json"
        ours, theirs = (json.loads((f / name).read_text()) for f in (twin, folder))
        assert ours["metrics"] == theirs["metrics"]
        name = "benchmark/weighted/densities.npz"
        with np.load(twin / name) as ours, np.load(folder / name) as theirs:
            assert set(ours) == set(theirs)
            for key in ours:
                np.testing.assert_array_equal(ours[key], theirs[key])


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"forces": "nowhere.npy"}, "does not exist. Check its path"),
        ({"forces": "short.npy"}, "expected the same of both"),
        ({"weights": "short.npy"}, "weight"),
    ],
)
def test_files_that_do_not_fit_are_refused_before_anything_runs(
    campaign, weft, change, words
) -> None:
    np.save(weft.folder / "short.npy", np.load(weft.folder / "f.npy")[:10])
    body = yaml.safe_load(campaign.read_text())
    body["system"] |= change
    campaign.write_text(yaml.safe_dump(body))
    done = weft.call("validate", campaign)
    assert done.returncode == 2, done.stdout + done.stderr
    assert words in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr
