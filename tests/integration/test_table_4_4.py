"""examples/07_table_4_4: accepted for GPU sites; two proteins of it, run short.

It is the campaign that learns models of each protein alone.
"""

import csv
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import pytest
import yaml

from campaign.commands.bundle import write_bundle
from campaign.commands.probe import read_rates
from campaign.layout.run_dir import RunDir

REPOSITORY = Path(__file__).parents[2]
EXAMPLE = REPOSITORY / "examples" / "07_table_4_4" / "campaign.yaml"
SHORT: dict[str, dict[str, Any]] = {
    "reference": {"n_walks": 2, "walk_length_ps": 4, "frame_interval_ps": 0.1,
                  "lineage_block_ps": 1},
    "tica": {"lag_ps": 0.2},
    "sample": {"n_iterations": 2, "walkers_per_bin": 2,
               "bins": {"kind": "mab", "nbins": [2, 2]}, "segment_length_fs": 400,
               "frame_interval_fs": 80},
    "prior": {"gate_steps": 500},
    "model": {"embedding_dimension": 8, "num_layers": 1},
    "training": {"n_epochs": 1},
    "benchmark": {"n_iterations": 2, "walkers_per_bin": 2, "n_bootstrap": 10,
                  "bins": {"kind": "mab", "nbins": [2, 2]}, "segment_length_fs": 400,
                  "frame_interval_fs": 80, "n_starts": 2},
}  # fmt: skip


@pytest.mark.parametrize("site", ["slurm", "perlmutter", "polaris"])
def test_it_is_accepted_for_a_gpu_site(site: str, weft: Any) -> None:
    """With the account filled in, as the site file asks."""
    text = (REPOSITORY / "site_configs" / f"{site}.yaml").read_text()
    (weft.folder / "mine.yaml").write_text(text.replace("<project>", "m1234"))
    done = weft.call("validate", EXAMPLE, "--site", "mine.yaml")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "is fine: force_field campaign table_4_4" in done.stdout
    assert "Preset thesis: Tables 4.1 to 4.3" in done.stdout
    assert done.stdout.count("What is simulated of ") == 8


STRUCTURES = REPOSITORY.parent / "shared" / "data" / "structures"


@pytest.mark.parametrize(
    ("name", "fold", "added"),
    [("lambda_1lmb", "lambda_repressor", "OXT of TYR 81"),
     ("proteing_1mi0", "protein_g", "CB CG CD1 CD2 CE1 CE2 CZ of PHE 15"),
     ("proteinb_1prb", "protein_b", "hydrogens"),
     ("homeodomain_1enh", "homeodomain", "OXT of ILE 55"),
     ("wwdomain_1pin", "ww_domain", "OXT of GLY 35"),
     ("bba_1fme", "bba", "hydrogens"), ("trpcage_2jof", "trp_cage", "hydrogens"),
     ("chignolin_cln025", "chignolin", "hydrogens")],
)  # fmt: skip
def test_a_structure_people_have_stands_in_for_the_fold(
    name: str, fold: str, added: str
) -> None:
    """Missing atoms are built, and said; it is the same protein."""
    from apps.science.systems.check import check_system
    from apps.science.systems.config import SystemConfig
    from apps.science.systems.native_folds import read_fold

    pdb = STRUCTURES / f"{name}.pdb"
    if not pdb.is_file():
        pytest.skip("the structures of the eight proteins are not at hand")
    said = check_system(SystemConfig(pdb=pdb, solvent="tip3pfb"))
    assert read_fold(fold).sequence in said["Chains"]
    assert added in said["Added"]


PROTEINS = {"chignolin": 10, "trp_cage": 20}
MODELS = ("weighted", "unweighted")


def write_campaign(folder: Path, *names: str) -> Path:
    body = yaml.safe_load(EXAMPLE.read_text())
    kept = {name: body["proteins"][name] for name in names}
    for system in kept.values():
        system |= {"solvent": "vacuum", "equilibration_ps": 0.4}
    path = folder / "campaign.yaml"
    path.write_text(yaml.safe_dump(body | SHORT | {"proteins": kept}, sort_keys=False))
    return path


@pytest.fixture(scope="module")
def run_dir(tmp_path_factory: pytest.TempPathFactory, weft_in: Any) -> Path:
    """Run two proteins of the example, shortened and in vacuum."""
    weft = weft_in(tmp_path_factory.mktemp("table"))
    done = weft.call("run", write_campaign(weft.folder, *PROTEINS))
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    found: Path = weft.folder / "runs" / "table_4_4"
    return found


def test_two_proteins_of_it_end_in_the_table(run_dir: Path) -> None:
    report = run_dir / "report"
    page = (report / "index.html").read_text(encoding="utf-8")
    assert 'id="published"' in page
    assert "could not be drawn" not in page
    with (report / "figures" / "published_table.csv").open(encoding="utf-8") as table:
        rows = list(csv.DictReader(table))
    seen = {(r["protein"], r["model"], r["metric"]): float(r["thesis"]) for r in rows}
    assert seen["Chignolin", "weighted", "tic0"] == 1.401
    assert seen["Trp cage", "unweighted", "dihedrals"] == 0.170
    assert len({(protein, model) for protein, model, _ in seen}) == 4
    for row in rows:
        assert row["weighted"] == str(row["model"] == "weighted")
        assert float(row["low"]) <= float(row["kl"]) <= float(row["high"])
        assert float(row["floor"]) >= 0


def test_each_is_learnt_from_alone(run_dir: Path) -> None:
    """Its prior, training set and models are its own, and nothing lies above it."""
    assert not (run_dir / "cg").exists()
    assert not (run_dir / "models").exists()
    for name, n_beads in PROTEINS.items():
        home = run_dir / "proteins" / name
        with h5py.File(home / "cg" / "dataset.h5") as h5:
            assert {n: g["pos"].shape[1] for n, g in h5["mol"].items()} == {
                name: n_beads
            }
        assert (home / "cg" / "prior.yaml").is_file()
        for model in MODELS:
            spec = home / "benchmark" / model / "propagation.json"
            used = json.loads(spec.read_text())["propagator"]
            found = [(spec.parent / used[k]).resolve() for k in ("checkpoint", "prior")]
            best = home / "models" / model / "checkpoints" / "best.pt"
            assert found == [best, home / "cg" / "prior.yaml"]
    table = (run_dir / "experiments/table.csv").read_text()
    rows = list(csv.DictReader(table.splitlines()))
    losses = {row[f"{p}.val_loss_weighted"] for row in rows for p in PROTEINS}
    assert len(losses - {""}) == 4


def test_its_pages_have_what_was_learnt(run_dir: Path) -> None:
    joint = (run_dir / "report/index.html").read_text(encoding="utf-8")
    assert "models of its own" in joint
    assert 'id="training"' not in joint
    assert 'id="experiments"' in joint
    for name in PROTEINS:
        page = (run_dir / f"proteins/{name}/report/index.html").read_text()
        assert "could not be drawn" not in page
        for part in ("prior", "training", "scores"):
            assert f'id="{part}"' in page
        losses = f"proteins/{name}/report/figures/training_val_loss_weighted.json"
        drawn = json.loads((run_dir / losses).read_text())
        assert {f"{model}_loss" for model in MODELS} < set(drawn)


def test_commands_find_them(run_dir: Path, weft: Any) -> None:
    shown = weft.call("data", run_dir)
    assert shown.returncode == 0, shown.stderr
    assert shown.stdout.count("training set of 1 protein") == len(PROTEINS)
    state = {s["name"]: s["state"] for s in weft.status(run_dir)["stages"]}
    assert state["train_weighted@trp_cage"] == "done"
    model = run_dir / "models" / "weighted"
    for command in ("simulate", "tune"):
        refused = weft.call(command, model)
        assert refused.returncode == 2
        assert "--protein chignolin or trp_cage" in refused.stderr
    done = weft.call("simulate", model, "--protein", "trp_cage", "--steps", "200")
    assert done.returncode == 0, done.stderr
    assert read_rates(RunDir(run_dir)).seconds["train"] > 0


def test_a_supplement_holds_the_models_of_each(run_dir: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(write_bundle(run_dir, tmp_path / "all.zip").path) as packed:
        names = {name.partition("/")[2]: name for name in packed.namelist()}
        texts = {n: packed.read(names[n]) for n in names if n.endswith("config.yaml")}
    for protein in PROTEINS:
        assert f"proteins/{protein}/cg/prior.yaml" in names
        for model in MODELS:
            home = f"proteins/{protein}/models/{model}"
            assert f"{home}/checkpoints/best.pt" in names
            assert yaml.safe_load(texts[f"{home}/config.yaml"])["out"] == home


def test_alone_and_killed_twice_it_is_the_same(
    run_dir: Path, weft: Any, compare_campaigns: Callable[[Path, Path], None]
) -> None:
    """Bit for bit what it is beside another, as nothing of another is learnt from."""
    again = weft.folder / "runs" / "table_4_4"
    log = again / "campaign.log"
    start: tuple[str | Path, ...] = ("run", write_campaign(weft.folder, "chignolin"))
    for stage in ("train_weighted@chignolin: given", "benchmark_unweighted@chignolin:"):
        driver = weft.start(*start)
        weft.wait_for(driver, lambda: log.exists() and stage in log.read_text())  # noqa: B023
        weft.kill(driver)
        start = ("resume", again)
    done = weft.call("resume", again)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    there, here = (run / "proteins" / "chignolin" for run in (run_dir, again))
    compare_campaigns(there, here)
    priors = {(home / "cg" / "prior.yaml").read_text() for home in (there, here)}
    assert len(priors) == 1
