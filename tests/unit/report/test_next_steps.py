"""What to try next is said of what was measured, and can be written as it stands."""

import copy
import json
import shutil
from pathlib import Path
from typing import Any

import h5py
import pytest
import yaml

from campaign.config import dump_campaign, load_campaign, parse_campaign
from campaign.layout.protein_dir import ProteinDir
from campaign.report.build import write_report
from campaign.report.parts.judged.next_steps import list_steps, show_steps
from campaign.report.parts.judged.worth import read_worth
from campaign.report.parts.learnt_source import LearntSource

DEMO = Path(__file__).parents[3] / "examples" / "01_chignolin" / "campaign.yaml"


@pytest.fixture
def root(finished: tuple[Path, str], tmp_path: Path) -> Path:
    """A finished run whose weighted model is wrong in everything."""
    root = shutil.copytree(finished[0], tmp_path / "hairpin")
    config = load_campaign(DEMO)
    body = yaml.safe_load(dump_campaign(config))
    body["benchmark"]["n_iterations"] = 3
    body["training"]["weight_exponent"] = 1.0
    (root / "resolved.yaml").write_text(yaml.safe_dump(body))
    for path in root.glob("benchmark/*/metrics.json"):
        body = json.loads(path.read_text())
        body["warnings"] = []
        figures = {name: m["figures"] for name, m in body["metrics"].items()}
        figures["coverage"]["outside"] |= {"value": 0.93, "floor": 0.06}
        for name in ("angles", "dihedrals"):
            figures[name]["kl"] |= {"value": 0.3, "floor": 0.03}
        body["sets"]["model"]["time_ps"] = [0.0, 0.5]
        path.write_text(json.dumps(body))
    return root


def write_maps(root: Path, chosen: str, ess: float = 900.0) -> None:
    row: dict[str, Any] = {"is_consistent": True, "diagonal": [1.0], "fault": "",
                           "n_split_constraints": 0}  # fmt: skip
    maps = {
        "chosen": chosen, "n_held_out_frames": 100, "n_training_frames": 1000,
        "ess_training": ess,
        "maps": {
            "constraint_sum": row | {"mean_squared_force": 1740.0},
            "optimal": row | {"mean_squared_force": 407.0},
            "slice": row | {"mean_squared_force": 90.0, "is_consistent": False},
        },
    }  # fmt: skip
    (root / "cg" / "force_maps.json").write_text(json.dumps(maps))


def write_fit(root: Path, name: str, *terms: str) -> None:
    types = [{"name": name}]
    fit = {"source": "fitted", "terms": {t: {"types": types} for t in terms}}
    (root / "cg" / "prior_fit.json").write_text(json.dumps(fit))


def steps_of(root: Path):
    source = LearntSource(ProteinDir(root))
    return list_steps(source, read_worth(source))


def changes_of(root: Path) -> dict[str, Any]:
    return {k: v for step in steps_of(root) for k, v in step.change.items()}


def test_the_noise_of_the_force_map_comes_first(root: Path) -> None:
    write_maps(root, "constraint_sum")
    first = steps_of(root)[0]
    assert first.line == "mapping: {force_map: optimal}"
    assert "4.3 times the noise" in first.why
    write_maps(root, "optimal")
    assert "mapping" not in changes_of(root)


def test_the_prior_gets_the_terms_that_it_lacks(root: Path) -> None:
    shared = "X - X - X - X"
    write_fit(root, shared, "bonds", "dihedrals", "repulsion")
    (step,) = [s for s in steps_of(root) if "prior" in s.change]
    assert step.line == (
        "prior: {terms: [bonds, angles, dihedrals, repulsion], shared_dihedral: false, "
        "dihedral_scale: 1.0}"
    )
    assert "no term for angles, and one dihedral term serves all" in step.why
    write_fit(root, "CAA - CAG - CAY - CAW", "bonds", "angles", "dihedrals")
    assert "prior" not in changes_of(root)


def test_training_that_would_go_on_is_told_by_its_ending(root: Path) -> None:
    assert "training" not in changes_of(root)
    ending = {"stopped": "epochs", "epochs": 30, "best_epoch": 30,
              "trend": "falling", "would_help": True}  # fmt: skip
    (root / "models" / "weighted" / "ending.json").write_text(json.dumps(ending))
    n_epochs = load_campaign(DEMO).training.n_epochs  # type: ignore[attr-defined]
    assert changes_of(root)["training"] == {"n_epochs": 2 * n_epochs}
    ending |= {"trend": "overfit", "would_help": False}
    (root / "models" / "weighted" / "ending.json").write_text(json.dumps(ending))
    changes = changes_of(root)
    assert "training" not in changes
    assert "sample" in changes


def test_an_ensemble_that_has_not_relaxed_is_told(root: Path) -> None:
    with h5py.File(root / "segments.h5", "w") as h5:
        h5["weight_eq"] = [1.0]
        h5["weight_eq"].attrs["distance"] = 0.4
    assert changes_of(root)["dataset"] == {"weights": "equilibrium"}
    with h5py.File(root / "segments.h5", "r+") as h5:
        h5["weight_eq"].attrs["distance"] = 0.05
    assert "dataset" not in changes_of(root)


def test_every_line_can_be_written_as_it_stands(root: Path) -> None:
    write_maps(root, "constraint_sum", ess=50.0)
    write_fit(root, "X - X - X - X", "bonds", "dihedrals", "repulsion")
    found = steps_of(root)
    assert len(found) >= 4
    asked = yaml.safe_load(DEMO.read_text())
    for step in found:
        changed = copy.deepcopy(asked)
        for section, settings in yaml.safe_load(step.line).items():
            changed.setdefault(section, {}).update(settings)
        parse_campaign(changed, DEMO)
    page = write_report(root).read_text(encoding="utf-8")
    assert "What to try next" in page
    assert "<pre>mapping: {force_map: optimal}</pre>" in page


def test_nothing_is_advised_where_all_is_well(root: Path) -> None:
    write_maps(root, "constraint_sum")
    for path in root.glob("benchmark/*/metrics.json"):
        body = json.loads(path.read_text())
        for name in ("outside", "missed"):
            body["metrics"]["coverage"]["figures"][name]["value"] = 0.01
        for name in ("tic0", "bonds", "angles", "dihedrals"):
            body["metrics"][name]["figures"]["kl"]["value"] = 0.01
        path.write_text(json.dumps(body))
    source = LearntSource(ProteinDir(root))
    assert read_worth(source)[0].grade == "good"
    assert show_steps(source, read_worth(source)) == []
