"""The sentence on top of the page: what a model is good for."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from campaign.report.build import write_report
from campaign.report.parts.judged.scores import Score
from campaign.report.parts.judged.worth import Worth
from campaign.report.parts.judged.worth_words import say_worth, tabulate_worth


def share(value: float, floor: float = 0.06) -> Score:
    return Score("coverage", value, 0.8 * value, min(1.0, 1.2 * value), floor, "")


def model(outside: float, missed: float, kl: float, **changes) -> Worth:
    slow = Score("TIC 0", kl, 0.8 * kl, 1.2 * kl, 0.4, "nats")
    return replace(Worth("weighted", share(outside), share(missed), slow), **changes)


GOOD = model(0.08, 0.05, 0.5)


def test_a_model_that_is_elsewhere_is_no_use() -> None:
    one = model(0.93, 0.7, 3.9)
    assert one.grade == "useless"
    said = say_worth([one])
    assert "93 % of the weighted model's weight lies where the reference" in said
    assert "Do not use it for structures, populations, free energies or rates" in said


def test_a_model_in_one_basin_is_stuck() -> None:
    assert model(0.02, 0.8, 2.0).grade == "stuck"
    assert "80 % of the reference's weight" in say_worth([model(0.02, 0.8, 2.0)])


def test_a_model_with_wrong_populations_is_middling() -> None:
    one = model(0.2, 0.1, 1.6)
    assert one.grade == "middling"
    said = say_worth([one])
    assert said.startswith("Middling: 80 % of the weighted model's weight")
    assert "on TIC 0 it is 4 times as far" in said
    folded = replace(GOOD, folded=(0.1, 0.05, 0.2), usual_folded=(0.5, 0.4, 0.6))
    assert folded.grade == "middling"
    assert "folded 10 % [5.0 % to 20 %] of the time, the reference 50 %" in (
        say_worth([folded])
    )


def test_a_model_with_stretched_bonds_is_middling_however_short_the_reference() -> None:
    found = {
        "bonds": Score("bonds", 0.289, 0.2, 0.4, 0.007, "nats"),
        "angles": Score("angles", 0.04, 0.03, 0.05, 0.001, "nats"),
        "dihedrals": Score("dihedrals", 0.19, 0.1, 0.3, 0.1, "nats"),
    }
    one = replace(GOOD, is_doubtful=True, local=found)
    assert one.grade == "middling"
    assert "but its bonds are up to 41 times as far from the" in say_worth([one])


def test_a_model_near_the_floor_is_good() -> None:
    alike = replace(GOOD, folded=(0.45, 0.3, 0.6), usual_folded=(0.5, 0.4, 0.6))
    assert alike.grade == "good"
    assert "at 300 K" in say_worth([alike], 300.0)
    assert "its own halves: 94 %" in say_worth([alike])


def test_a_distance_that_is_small_is_no_fault_however_low_the_floor() -> None:
    near = replace(GOOD, slow=Score("TIC 0", 0.04, 0.03, 0.05, 0.001, "nats"))
    assert near.grade == "good"


def test_a_reference_whose_halves_differ_tells_no_good_model() -> None:
    apart = replace(GOOD, slow=Score("TIC 0", 1.0, 0.5, 1.5, 0.9, "nats"))
    assert apart.grade == "untold"
    far = replace(GOOD, outside=share(0.6, floor=0.4))
    assert far.grade == "untold"
    assert "Run it longer" in say_worth([far])
    assert replace(GOOD, is_doubtful=True).grade == "untold"


def test_broken_structures_are_no_use_whatever_else_is() -> None:
    assert replace(GOOD, broken=0.8).grade == "useless"
    assert replace(GOOD, broken=0.2).grade == "middling"


def test_the_other_model_has_a_clause() -> None:
    other = replace(model(0.95, 0.9, 5.0), model="unweighted")
    assert say_worth([GOOD, other]).endswith(
        "The unweighted model has 95 % of its weight where it hardly ever is: no use."
    )
    table = tabulate_worth([GOOD, other])
    assert [c.text for c in table.rows[0]] == [
        "Weight inside the reference's area", "92 %", "5.0 %", "94 %",
    ]  # fmt: skip
    assert table.rows[-1][1].text == "1.2"


def test_no_model_no_word() -> None:
    assert say_worth([]) == ""


def test_the_page_begins_with_it(finished: tuple[Path, str]) -> None:
    _, page = finished
    headline = page.split('<p class="headline">')[1].split("</p>")[0]
    assert "weighted model" in headline
    assert "within the reference" in headline or "hardly ever is" in headline
    assert "On the slowest coordinate" in page
    assert "How good by itself" in page


@pytest.mark.parametrize("kept", ["other metrics", "nothing"])
def test_a_benchmark_of_an_earlier_version_is_still_told(
    kept: str, finished: tuple[Path, str], tmp_path: Path
) -> None:
    root = shutil.copytree(finished[0], tmp_path / "hairpin")
    for path in root.glob("benchmark/*/metrics.json"):
        body = json.loads(path.read_text())
        del body["metrics"]["coverage"]
        for name in ("reference", "model"):
            details = body["metrics"]["folded"].get("details", {})
            details.pop(f"{name}_fraction_interval", None)
        if kept == "nothing":
            body["metrics"] = {}
        path.write_text(json.dumps(body))
    page = write_report(root).read_text(encoding="utf-8")
    assert "could not be drawn" not in page
    assert "No verdict:" not in page
    assert "How good by itself" not in page
    assert ("On the slowest coordinate" in page) == (kept == "other metrics")
