"""Each dihedral by itself: its name, its picture, what the caption says."""

import json
from pathlib import Path

import numpy as np

from campaign.layout.protein_dir import ProteinDir
from campaign.report.kit.blocks import Fold, Gallery
from campaign.report.kit.canvas import Canvas
from campaign.report.parts.judged.torsion_pictures import torsions
from campaign.report.parts.learnt_source import LearntSource

NAMES = ["C", "N", "CA", "C", "N"]


def write_run(root: Path, n: int, names: list[str]) -> LearntSource:
    paths = ProteinDir(root)
    folder = paths.benchmark("weighted")
    folder.mkdir(parents=True)
    share = np.full((n, 60), 1 / 60)
    np.savez(folder / "densities.npz", **{
        "torsions/bins": np.linspace(-180, 180, 61),
        "torsions/each_reference": share, "torsions/each_model": share,
    })  # fmt: skip
    one = {"js": 0.0123, "js_between_halves_of_model": 0.001,
           "reference_positive": 0.024, "model_positive": 0.5}  # fmt: skip
    each = [one | {"beads": list(range(k, k + 4))} for k in range(n)]
    metrics = {"torsions": {"details": {"each": each}, "figures": {}}}
    (folder / "metrics.json").write_text(json.dumps({"metrics": metrics}))
    paths.mapping.parent.mkdir(parents=True)
    mapping = {"names": names, "resids": [1, 2, 2, 2, 3, 4, 5, 6][: len(names)]}
    paths.mapping.write_text(json.dumps(mapping))
    return LearntSource(paths)


def test_phi_and_psi_are_drawn_by_name_with_their_figures(tmp_path: Path) -> None:
    source = write_run(tmp_path / "run", 2, NAMES)
    (gallery,) = torsions(source, Canvas(tmp_path / "figures"))
    assert isinstance(gallery, Gallery)
    phi, psi = gallery.pictures
    assert phi.caption.startswith("Is φ of residue 2 where it should be?")
    assert psi.caption.startswith("Is ψ of residue 2")
    for part in ("JS 0.012", "its halves 0.001", "above zero 2.4 %", "above zero 50 %"):
        assert part in phi.caption
    assert (tmp_path / "figures" / "density_torsion_1.png").stat().st_size > 1000


def test_many_dihedrals_are_behind_a_line(tmp_path: Path) -> None:
    source = write_run(tmp_path / "run", 4, ["CA"] * 7)
    (fold,) = torsions(source, Canvas(tmp_path / "figures"))
    assert isinstance(fold, Fold)
    assert "dihedral CA1 CA2 CA2 CA2" in fold.blocks[0].pictures[0].caption


def test_runs_of_before_have_none(tmp_path: Path) -> None:
    source = LearntSource(ProteinDir(tmp_path))
    assert torsions(source, Canvas(tmp_path / "figures")) == []
