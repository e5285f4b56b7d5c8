import importlib.util
from pathlib import Path
from types import ModuleType

import pytest


@pytest.fixture(scope="session")
def sets() -> ModuleType:
    """The small weighted sets beside this file."""
    path = Path(__file__).parent / "sets.py"
    spec = importlib.util.spec_from_file_location("metric_test_sets", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
