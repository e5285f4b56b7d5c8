"""Every module of weft can be imported; a name that moved in Python shows here."""

import subprocess
import sys
from importlib.util import find_spec

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
