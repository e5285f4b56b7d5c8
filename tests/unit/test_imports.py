"""Every module of weft can be imported; a name that moved in Python shows here."""

import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

WALK = """
import importlib, pkgutil
for root in ("apps", "campaign", "site_configs"):
    package = importlib.import_module(root)
    for found in pkgutil.walk_packages(package.__path__, f"{root}."):
        if found.name.endswith("__main__"):
            continue
        try:
            importlib.import_module(found.name)
        except ModuleNotFoundError as error:
            print(found.name, error.name)
"""


def test_every_module_is_imported() -> None:
    """Without torch, which the smoke run on other Pythons leaves out, all but its."""
    done = subprocess.run(
        [sys.executable, "-W", "error::SyntaxWarning", "-P", "-c", WALK], text=True,
        capture_output=True, check=False, timeout=600,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    left_out = {"torch", "torchmd", "torchmdnet"}
    missing = dict(line.split() for line in done.stdout.splitlines())
    assert set(missing.values()) <= {m for m in left_out if not find_spec(m)}, missing


def test_the_smoke_run_names_tests_that_exist() -> None:
    """On other Pythons: ``.ci/other-pythons``."""
    repository = Path(__file__).parents[2]
    script = (repository / ".ci" / "other-pythons").read_text("utf-8")
    named = re.findall(r"tests/[\w/.]+", script.partition("find_python")[0])
    assert len(named) >= 8
    assert [one for one in named if not (repository / one).exists()] == []
