"""Globus Compute's and Kubernetes' clients, in an environment of their own.

Parsl imports either wherever it is installed: each of its processes would then start a
quarter of a second later. So the extra dev is without them, and they are installed here
on top of what is there, at the versions of constraints.txt.
"""

import os
import site
import subprocess
import sys
import tomllib
import venv
from importlib.util import find_spec
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
SUITES = (
    "tests/integration/test_globus_compute.py",
    "tests/unit/site_configs/test_kubernetes.py",
)


@pytest.fixture
def python_with_clients(tmp_path: Path) -> Path:
    """Return a Python that has all that this one has, and the clients."""
    folder = tmp_path / "venv"
    venv.create(folder, with_pip=False)
    python = folder / "bin" / "python"
    (packages,) = folder.glob("lib/python*/site-packages")
    lines = [f"import site; site.addsitedir({p!r})\n" for p in site.getsitepackages()]
    (packages / "beneath.pth").write_text("".join(lines))
    extras = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"][
        "optional-dependencies"
    ]
    done = subprocess.run(
        [sys.executable, "-m", "pip", "--python", python, "install", "--quiet",
         "--constraint", REPOSITORY / "constraints.txt",
         *extras["globus"], *extras["kubernetes"]],
        text=True, capture_output=True, check=False, timeout=300,
    )  # fmt: skip
    if done.returncode:
        pytest.skip(f"the clients cannot be installed: {done.stderr.strip()[-300:]}")
    return python


@pytest.mark.skipif(
    all(find_spec(n) for n in ("globus_compute_endpoint", "kubernetes")),
    reason="the clients are installed, so their tests run by themselves",
)
def test_their_suites_pass_and_skip_nothing(python_with_clients: Path) -> None:
    here = Path(sys.executable).parent
    paths = [str(python_with_clients.parent), str(here), os.environ["PATH"]]
    done = subprocess.run(
        [python_with_clients, "-m", "pytest", "-q", "-p", "no:cacheprovider", *SUITES],
        cwd=REPOSITORY, env=os.environ | {"PATH": os.pathsep.join(paths)},
        text=True, capture_output=True, check=False, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-1000:]
    assert "passed" in done.stdout
    assert "skipped" not in done.stdout, done.stdout
