import importlib.util
from pathlib import Path
from types import ModuleType

import pytest


@pytest.fixture(scope="session")
def synthetic() -> ModuleType:
    """The generator of run folders beside this file."""
    path = Path(__file__).parent / "synthetic_run.py"
    spec = importlib.util.spec_from_file_location("synthetic_run", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def finished(
    synthetic: ModuleType, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, str]:
    """A finished run with its report: the folder and the page's text."""
    from campaign.report.build import write_report

    root = synthetic.write_run(tmp_path_factory.mktemp("runs") / "hairpin")
    return root, write_report(root).read_text(encoding="utf-8")
