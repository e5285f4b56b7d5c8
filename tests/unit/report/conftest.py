"""Run folders with real arrays, and one of them with its report."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest


@pytest.fixture(scope="session")
def synthetic() -> ModuleType:
    """The package beside this file that writes run folders."""
    folder = Path(__file__).parent / "synthetic"
    spec = importlib.util.spec_from_file_location(
        "synthetic_run",
        folder / "__init__.py",
        submodule_search_locations=[str(folder)],
    )
    assert spec is not None
    assert spec.loader is not None
    package = sys.modules["synthetic_run"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(package)
    for path in folder.glob("[a-z]*.py"):
        importlib.import_module(f"synthetic_run.{path.stem}")
    return package


@pytest.fixture(scope="session")
def finished(
    synthetic: ModuleType, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, str]:
    """A finished run with its report: the folder and the page's text."""
    from campaign.report.build import write_report

    root = synthetic.whole.write_run(tmp_path_factory.mktemp("runs") / "hairpin")
    return root, write_report(root).read_text(encoding="utf-8")
