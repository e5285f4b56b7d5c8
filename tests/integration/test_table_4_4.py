"""examples/07_table_4_4: accepted for GPU sites; two proteins of it, run short."""

import csv
from pathlib import Path
from typing import Any

import pytest
import yaml

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
    "training": {"n_epochs": 1, "protein_balance": "equal"},
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
    from apps.science.systems.config import SystemConfig, check_system
    from apps.science.systems.native_folds import read_fold

    pdb = STRUCTURES / f"{name}.pdb"
    if not pdb.is_file():
        pytest.skip("the structures of the eight proteins are not at hand")
    said = check_system(SystemConfig(pdb=pdb, solvent="tip3pfb"))
    assert read_fold(fold).sequence in said["Chains"]
    assert added in said["Added"]


def test_two_proteins_of_it_end_in_the_table(weft: Any) -> None:
    body = yaml.safe_load(EXAMPLE.read_text())
    kept = {name: body["proteins"][name] for name in ("chignolin", "trp_cage")}
    for system in kept.values():
        system |= {"solvent": "vacuum", "equilibration_ps": 0.4}
    body |= SHORT | {"proteins": kept}
    (weft.folder / "campaign.yaml").write_text(yaml.safe_dump(body, sort_keys=False))
    done = weft.call("run", "campaign.yaml")
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    report = weft.folder / "runs" / "table_4_4" / "report"
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
        assert float(row["low"]) <= float(row["kl"]) <= float(row["high"])
        assert float(row["floor"]) >= 0
