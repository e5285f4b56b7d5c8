"""The part of the page on the prior and the force maps."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from campaign.layout.protein_dir import ProteinDir
from campaign.report.kit.blocks import Facts, Fold, Gallery, Note, Table
from campaign.report.kit.canvas import Canvas
from campaign.report.parts.learning.page_prior import describe_gate, prior, shorten
from campaign.report.parts.learnt_source import LearntSource

GATE = {
    "n_steps": 100000, "passed": True, "n_replicas": 4, "timestep_fs": 2.5,
    "seconds": 3.2, "largest_deviation_sigma": 4.6, "limit_sigma": 6.2,
}  # fmt: skip


def write_fit(gate: dict[str, Any]) -> dict[str, Any]:
    x = np.linspace(3.6, 4.1, 60)
    curve = np.exp(-(((x - 3.85) / 0.06) ** 2)).tolist()
    row = {
        "x": x.tolist(), "data": curve, "fit": curve, "prior_alone": None,
        "n_effective": 812.0, "parameters": {"k0": 74.8, "req": 3.85},
    }  # fmt: skip
    types = [row | {"name": f"CA{a} - CA{b}"} for a in "YDPEG" for b in "TWY"]
    return {
        "source": "fitted", "n_frames": 9180, "temperature_kelvin": 300.0, "gate": gate,
        "terms": {"bonds": {"label": "bond length, Å", "types": types}},
    }  # fmt: skip


def write_maps(chosen: str) -> dict[str, Any]:
    sound = {
        "mean_squared_force": 1775.0, "mean_squared_force_training": 1770.0,
        "diagonal": [1.0, 1.0], "n_split_constraints": 0, "is_consistent": True,
        "fault": "",
    }  # fmt: skip
    broken = {
        "is_consistent": False,
        "n_split_constraints": 10,
        "fault": "force map slice is not consistent: 10 constraint groups",
    }
    return {
        "chosen": chosen, "n_held_out_frames": 780, "n_training_frames": 8400,
        "maps": {
            "constraint_sum": sound, "slice": sound | broken,
            "optimal": sound | {"mean_squared_force": 431.0},
        },
    }  # fmt: skip


@pytest.fixture
def run(tmp_path: Path) -> ProteinDir:
    (tmp_path / "cg").mkdir()
    return ProteinDir(tmp_path)


def draw(run: ProteinDir) -> list[Any]:
    return prior(LearntSource(run), Canvas(run.root / "figures")).blocks


def of_kind(blocks: list[Any], kind: type) -> list[Any]:
    return [b for b in blocks if isinstance(b, kind)]


def test_without_a_prior_the_part_says_so(run: ProteinDir) -> None:
    (note,) = draw(run)
    assert note == Note("The prior has not been fitted yet.", "missing")


def test_each_term_has_a_picture_and_a_table(run: ProteinDir) -> None:
    run.prior.with_name("prior_fit.json").write_text(json.dumps(write_fit(GATE)))
    blocks = draw(run)
    ((picture,),) = (g.pictures for g in of_kind(blocks, Gallery))
    assert "5 types with less data" in picture.caption
    assert (run.root / "figures" / "prior_bonds.png").stat().st_size > 0
    ((table,),) = (f.blocks for f in of_kind(blocks, Fold))
    assert len(table.rows) == 15
    assert table.rows[0][0].text == "Y T"
    (facts,) = of_kind(blocks, Facts)
    assert "stable for 100,000 steps" in dict(facts.rows)["Prior-only dynamics"]


def test_a_refused_prior_is_a_caution(run: ProteinDir) -> None:
    gate = {"n_steps": 100000, "passed": False, "message": "Bond CAA0 left its range."}
    run.prior.with_name("prior_fit.json").write_text(json.dumps(write_fit(gate)))
    assert Note("Bond CAA0 left its range.", "caution") in draw(run)
    assert describe_gate({"passed": None}).startswith("not run")


def test_force_maps_stand_beside_each_other(run: ProteinDir) -> None:
    path = run.prior.with_name("force_maps.json")
    path.write_text(json.dumps(write_maps("optimal")))
    (table,) = of_kind(draw(run), Table)
    assert "780 held-out frames" in table.caption
    assert [row[5].text for row in table.rows] == ["yes", "no", "yes"]
    assert [row[1].best for row in table.rows] == [False, False, True]
    assert table.rows[2][2].text == "0.243"


def test_why_a_map_was_taken_is_told(run: ProteinDir) -> None:
    path = run.prior.with_name("force_maps.json")
    reason = {"asked": "auto", "reason": "auto takes optimal: it is the quietest"}
    path.write_text(json.dumps(write_maps("optimal") | reason))
    assert Note("Auto takes optimal: it is the quietest.") in draw(run)


def test_a_broken_map_in_use_is_a_caution(run: ProteinDir) -> None:
    path = run.prior.with_name("force_maps.json")
    path.write_text(json.dumps(write_maps("slice")))
    cautions = [n.text for n in of_kind(draw(run), Note) if n.tone == "caution"]
    assert cautions == ["Force map slice is not consistent: 10 constraint groups."]


def test_a_gap_in_the_chain_is_told(run: ProteinDir) -> None:
    gap = "residues 4 to 5 are missing between ASP 3 and GLY 6"
    run.mapping.write_text(json.dumps({"gaps": [gap]}))
    assert Note(f"No bond crosses a gap: {gap}.", "caution") in draw(run)


def test_types_are_written_short() -> None:
    assert shorten("CAY - CAD") == "Y D"
    assert shorten("CAY - SC-TYR") == "Y SC-TYR"
    assert shorten("X - X - X - X") == "all types"
