"""The wheel, installed outside the checkout, runs the alanine example."""

import json
import runpy
import shutil
import subprocess
import sysconfig
from importlib.metadata import Distribution
from pathlib import Path
from typing import Any

import pytest
import setuptools

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def packages(from_wheel: Path) -> Path:
    base = {"base": str(from_wheel.parent)}
    return Path(sysconfig.get_path("purelib", vars=base))


def test_the_finished_campaign_is_the_wheels(uninterrupted: Path, from_wheel) -> None:
    """``uninterrupted`` is run by it; its figures are compared with the checkout's."""
    asked = "import campaign, apps, site_configs as s; print(campaign, apps, s)"
    done = subprocess.run(
        [from_wheel / "python", "-P", "-c", asked], cwd=REPOSITORY, text=True,
        capture_output=True, check=True,
    )  # fmt: skip
    assert done.stdout.count(str(from_wheel.parent)) == 3
    made_by = json.loads((uninterrupted / "environment.json").read_text())
    assert made_by["git"] is None


def test_it_holds_what_the_checkout_holds(packages: Path) -> None:
    for part in ("apps", "campaign", "site_configs"):
        here, there = (
            {
                path.relative_to(root).as_posix()
                for path in (root / part).rglob("*")
                if path.is_file() and path.parent.name != "__pycache__"
            }
            for root in (REPOSITORY, packages)
        )
        assert here == there


def test_its_types_and_its_page_are_for_others(packages: Path) -> None:
    (info,) = packages.glob("weft-*.dist-info")
    said = Distribution.at(info).metadata
    assert "](docs/" not in said["Description"]
    assert "report.png" in said["Description"]
    assert set(said["Requires-Python"].split(",")) == {">=3.11", "<3.14"}
    for part in ("apps", "campaign", "site_configs"):
        assert (packages / part / "py.typed").exists()


def test_with_a_public_address_its_page_has_links_and_the_picture(
    tmp_path: Path, monkeypatch
) -> None:
    for name in ("setup.py", "README.md", "pyproject.toml"):
        shutil.copy(REPOSITORY / name, tmp_path)
    with (tmp_path / "pyproject.toml").open("a") as project:
        project.write('[project.urls]\nSource = "https://weft.example/weft/"\n')
    given: dict[str, Any] = {}
    monkeypatch.setattr(setuptools, "setup", lambda **known: given.update(known))
    runpy.run_path(str(tmp_path / "setup.py"))
    page = given["long_description"]
    source = "https://weft.example/weft"
    assert f"]({source}/raw/main/docs/images/report.png)" in page
    assert f"[docs/sites.md]({source}/blob/main/docs/sites.md)" in page
    assert "](docs/" not in page
