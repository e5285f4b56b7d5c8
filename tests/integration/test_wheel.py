"""The wheel, installed outside the checkout, runs the alanine example."""

import json
import subprocess
import sysconfig
from importlib.metadata import Distribution
from pathlib import Path

import pytest

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
                if path.is_file() and path.suffix != ".pyc"
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
