"""A campaign type outside weft, as docs/add-a-type.md has it, and all of weft on it."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from campaign.watching.page.page import Page

DOCS = Path(__file__).parents[2] / "docs" / "add-a-type.md"


@pytest.fixture
def campaign(tmp_path: Path) -> Path:
    """The type and the campaign of the page, as a person would copy them."""
    text = DOCS.read_text(encoding="utf-8")
    code, settings = (
        re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)[0]
        for language in ("python", "yaml")
    )
    types = tmp_path / "my_plugins" / "types"
    types.mkdir(parents=True)
    (types / "wells.py").write_text(code)
    path = tmp_path / "campaign.yaml"
    path.write_text(settings)
    return path


def read_weights(run_dir: Path) -> dict[str, Any]:
    records = sorted((run_dir / "we" / "journal").glob("iter_*.json"))
    return {path.name: json.loads(path.read_text())["weight"] for path in records}


def test_it_runs_resumes_and_shows_everywhere(weft: Any, campaign: Path) -> None:
    weft.folder = campaign.parent
    run_dir = weft.folder / "runs" / "two_wells"
    driver = weft.start("run", campaign)
    weft.wait_for(driver, lambda: len(read_weights(run_dir)) >= 10)
    weft.kill(driver)
    status = weft.status(run_dir)
    assert status["state"] == "interrupted"
    assert [stage["name"] for stage in status["stages"]] == ["sample", "report"]
    assert status["stages"][0]["iteration"]["n_iter"] >= 10
    assert weft.call("resume", run_dir).returncode == 0
    assert weft.status(run_dir)["state"] == "done"

    whole = weft.call("run", campaign, "--runs", weft.folder / "again")
    assert whole.returncode == 0, whole.stderr
    assert read_weights(run_dir) == read_weights(weft.folder / "again" / "two_wells")

    page = (run_dir / "report" / "index.html").read_text(encoding="utf-8")
    assert "Are both wells populated as they should be?" in page
    assert "could not be drawn" not in page
    drawn = json.loads((run_dir / "report" / "figures" / "density.json").read_text())
    x, seen = np.array(drawn["x"]), np.array(drawn["seen"])
    assert seen[np.abs(x) < 0.3].mean() < seen[np.abs(np.abs(x) - 1) < 0.3].mean() / 3
    assert "sample" in Page(run_dir).html()
    exported = weft.call("export", run_dir, "--format", "westpa")
    assert exported.returncode == 0, exported.stderr
