"""The thesis's table stands beside a run that judges the same proteins."""

import csv
import json
import re
import shutil
from pathlib import Path
from types import ModuleType

import pytest
import yaml

from apps.science.systems.native_folds import list_folds, read_fold
from campaign.layout.protein_dir import ProteinDir
from campaign.report.build import write_report
from campaign.report.parts.judged.page_published import list_judged, read_table
from campaign.report.parts.learnt_source import LearntSource

TABLE_4_4 = {
    ("bba", "tic0"): (0.109, 0.218), ("chignolin", "tic0"): (1.401, 2.600),
    ("homeodomain", "tic1"): (2.596, 2.651),
    ("lambda_repressor", "angles"): (0.059, 0.1668),
    ("protein_b", "dihedrals"): (0.223, 0.186), ("protein_g", "bonds"): (0.037, 12.451),
    ("trp_cage", "tic0"): (4.281, 4.305), ("ww_domain", "tic0"): (4.182, 3.920),
}  # fmt: skip


def test_the_figures_are_the_published_ones() -> None:
    _, proteins = read_table()
    assert len(proteins) == 8
    for (fold, metric), (weighted, unweighted) in TABLE_4_4.items():
        one = next(p for p in proteins if fold in p.folds)
        assert one.kl[metric] == {True: weighted, False: unweighted}
        assert len(one.kl) == 5


def test_each_protein_is_known_by_its_sequence_and_no_other() -> None:
    _, proteins = read_table()
    of_table = {fold for p in proteins for fold in p.folds}
    assert set(list_folds()) - of_table == {"fs_peptide"}
    for fold in list_folds():
        known = [fold in p.folds for p in proteins if p.is_of(read_fold(fold).sequence)]
        assert known == ([True] if fold in of_table else [])
    by_fold = {p.folds[0]: p for p in proteins}
    # the mutant of the published C-alpha model, and 1PRB with its first residues
    mutant = "LKNAIEDAIAELKKAGITSDFYFNAINKAKTVEEVNALVNEILKAHA"
    assert by_fold["protein_b"].is_of(mutant)
    assert by_fold["protein_b"].is_of("TIDQWL" + read_fold("protein_b").sequence)
    assert not by_fold["chignolin"].is_of("YYDPETGTWA")
    assert not by_fold["chignolin"].is_of("")


@pytest.fixture
def run(
    finished: tuple[Path, str], tmp_path: Path
) -> tuple[Path, dict[str, dict[str, float]]]:
    """A finished run of chignolin whose figures on TIC 0 are set."""
    root = shutil.copytree(finished[0], tmp_path / "hairpin")
    given = {
        "weighted": {"value": 0.5, "low": 0.4, "high": 0.7, "floor": 0.2},
        "unweighted": {"value": 3.5, "low": 2.8, "high": 4.0, "floor": 0.2},
    }
    for model, figure in given.items():
        path = root / "benchmark" / model / "metrics.json"
        body = json.loads(path.read_text())
        body["metrics"]["tic0"]["figures"]["kl"] |= figure
        path.write_text(json.dumps(body))
    return root, given


def test_who_is_nearer_is_said_with_intervals_and_floor(
    run: tuple[Path, dict[str, dict[str, float]]],
) -> None:
    root, given = run
    page = write_report(root).read_text(encoding="utf-8")
    table = (root / "report/figures/published_table.csv").open(encoding="utf-8")
    with table:
        rows = list(csv.DictReader(table))
    tic0 = {r["model"]: r for r in rows if r["metric"] == "tic0"}
    for model, figure in given.items():
        found = {key: float(tic0[model][key]) for key in ("low", "high", "floor")}
        assert found | {"value": float(tic0[model]["kl"])} == figure
    assert (tic0["weighted"]["thesis"], tic0["weighted"]["nearer"]) == ("1.401", "here")
    assert tic0["unweighted"]["thesis"] == "2.6"
    assert tic0["unweighted"]["nearer"] == "in the thesis"
    part = page[page.index('id="published"') :]
    text = " ".join(re.sub(r"<[^>]+>", " ", part).split())
    assert "0.500 0.400 to 0.700 1.401 nearer here" in text
    assert "3.500 2.800 to 4.000 2.600 nearer in the thesis 0.200 weighted" in text
    said = re.search(r"Weighted: of (\d+) figures, (\d+) nearer", text)
    assert said
    assert int(said[1]) == sum(r["model"] == "weighted" for r in rows)


def test_another_protein_has_no_such_part(
    run: tuple[Path, dict[str, dict[str, float]]],
) -> None:
    root, _ = run
    system = root / "system" / "system.json"
    body = json.loads(system.read_text()) | {"sequence": "AAAAAAAAAA"}
    system.write_text(json.dumps(body))
    assert 'id="published"' not in write_report(root).read_text(encoding="utf-8")


def test_several_proteins_share_one_table(
    run: tuple[Path, dict[str, dict[str, float]]], tmp_path: Path, synthetic: ModuleType
) -> None:
    root, _ = run
    several = tmp_path / "several"
    several.mkdir()
    names = {"one": "chignolin", "other": "trp_cage"}
    (several / "resolved.yaml").write_text(
        yaml.safe_dump({"proteins": {n: {"fold": f} for n, f in names.items()}})
    )
    for name, fold in names.items():
        home = shutil.copytree(root, several / "proteins" / name)
        system = home / "system" / "system.json"
        body = json.loads(system.read_text()) | {"sequence": read_fold(fold).sequence}
        system.write_text(json.dumps(body))
    judged = list_judged(LearntSource(ProteinDir.at(several)))
    assert [one.published.folds[0] for one in judged] == list(names.values())
