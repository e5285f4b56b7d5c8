import json
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from campaign.report.build import write_report


class Outline(HTMLParser):
    """Collects what a page would fetch, its headings, and whether tags close."""

    VOID = frozenset({"meta", "link", "img", "br", "input"})

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.fetched: list[str] = []
        self.ids: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        inline = tag == "script" and "src" not in found
        if tag in {"img", "script", "iframe", "link"} and not inline:
            self.fetched.append(found.get("src") or found.get("href") or "")
        if "id" in found:
            self.ids.append(str(found["id"]))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def read_outline(page: str) -> Outline:
    outline = Outline()
    outline.feed(page)
    return outline


def test_the_page_fetches_nothing(finished: tuple[Path, str]) -> None:
    _, page = finished
    outline = read_outline(page)
    assert outline.open == []
    assert len(outline.fetched) > 15
    assert all(address.startswith("data:") for address in outline.fetched)
    assert not re.search(r"https?://|@import|url\(", page)


def test_every_part_of_a_finished_run_is_drawn(finished: tuple[Path, str]) -> None:
    _, page = finished
    expected = [
        "scores", "published", "run", "ensemble", "prior", "training", "densities",
        "stability", "ran", "methods",
    ]  # fmt: skip
    assert read_outline(page).ids == expected
    assert "could not be drawn" not in page
    assert "What was taken of the structure" in page
    assert "The line encloses the reference's 99 % area" in page.replace("&#39;", "'")
    assert "3 waters (no water is simulated)" in page


def test_every_figure_is_kept_with_its_numbers(finished: tuple[Path, str]) -> None:
    root, page = finished
    shown = set(re.findall(r'href="figures/(\w+)\.png"', page))
    kept = {p.stem for p in (root / "report" / "figures").glob("*.png")}
    numbers = {p.stem for p in (root / "report" / "figures").glob("*.json")}
    assert shown == kept == numbers
    walkers = json.loads((root / "report/figures/we_walkers.json").read_text())
    assert walkers["walkers"] == [24.0] * 30


def test_drawn_densities_hold_the_mass_inside_their_bins(
    finished: tuple[Path, str],
) -> None:
    root, _ = finished
    body = json.loads((root / "report/figures/density_gyration.json").read_text())
    inside = float(np.sum(np.array(body["weighted"]) * np.diff(body["edges"])))
    assert inside + body["weighted_outside"] == pytest.approx(1.0, abs=1e-5)


def test_a_hole_in_the_files_costs_one_part_only(
    finished: tuple[Path, str], tmp_path: Path
) -> None:
    root = shutil.copytree(finished[0], tmp_path / "hairpin")
    (root / "benchmark" / "weighted" / "densities.npz").write_bytes(b"torn")
    page = write_report(root).read_text(encoding="utf-8")
    assert "This part could not be drawn" in page
    assert "training" in page
    assert "On the slowest coordinate" in page


def test_a_model_that_ran_away_has_its_part_of_every_page(
    finished: tuple[Path, str], tmp_path: Path
) -> None:
    root = shutil.copytree(finished[0], tmp_path / "hairpin")
    folder = root / "benchmark" / "weighted"
    body = json.loads((folder / "metrics.json").read_text())
    for name, metric in body["metrics"].items():
        if name != "stability":
            metric |= {"defined": False, "reason": "it ran away", "figures": {}}
    body["model_warnings"] = ["its dynamics ran away"]
    (folder / "metrics.json").write_text(json.dumps(body))
    with np.load(folder / "densities.npz") as arrays:
        kept = {n: a for n, a in arrays.items() if n.startswith("stability/")}
    np.savez(folder / "densities.npz", **kept)
    page = write_report(root).read_text(encoding="utf-8")
    assert "could not be drawn" not in page
    assert "Model weighted: its dynamics ran away." in page


def test_a_type_that_is_gone_leaves_what_every_run_can_say(
    synthetic: ModuleType, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    synthetic.settings.write_settings(tmp_path)
    resolved = tmp_path / "resolved.yaml"
    resolved.write_text(resolved.read_text().replace("force_field", "vanished"))
    page = write_report(tmp_path).read_text(encoding="utf-8")
    assert "No stage was started yet" in page
    assert "could not be drawn" not in page
    assert "Unknown kind 'vanished' in types" in caplog.text


@pytest.mark.parametrize("stage", ["nothing", "settings", "reference", "sampling"])
def test_an_unfinished_run_says_what_is_missing(
    stage: str, synthetic: ModuleType, tmp_path: Path
) -> None:
    root = tmp_path / "hairpin"
    root.mkdir()
    if stage != "nothing":
        synthetic.settings.write_settings(root)
    if stage in {"reference", "sampling"}:
        tica = synthetic.hairpin.write_reference(root)
    if stage == "sampling":
        synthetic.ensemble.write_ensemble(root / "we", tica, 3, 0.0, 1.0, 1)
    page = write_report(root).read_text(encoding="utf-8")
    assert "There is no verdict yet" in page
    assert "could not be drawn" not in page
    if stage == "nothing":
        assert "No stage was started yet" in page
        return
    assert "No model has been benchmarked yet" in page
    assert ("has not closed an iteration" in page) == (stage != "sampling")
