"""What several suites share: prepared systems, and campaigns run by the command."""

import json
import os
import shutil
import signal
import subprocess
import sys
import sysconfig
import time
import venv
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import psutil
import pytest

sys.path.insert(0, str(Path(__file__).parent))
from sockets import watching_sockets

pytest.register_assert_rewrite("apps.contracts")
pytest_plugins = ("side_by_side", "random_outcomes")
REPOSITORY = Path(__file__).parents[1]
ALANINE = REPOSITORY / "examples" / "02_alanine_dipeptide" / "campaign.yaml"
WEFT = Path(sys.executable).with_name("weft")
PATIENCE_S = 600
ODD_FOLDER = "a b'c\"$(touch X)[d] ü"
"""A name that no shell and no scheduler may read as anything else."""


@dataclass
class Weft:
    """The weft command, and the drivers started with it."""

    folder: Path
    command: tuple[str, ...] = (str(WEFT),)
    environment: dict[str, str] = field(default_factory=dict)
    drivers: list[subprocess.Popen[str]] = field(default_factory=list)

    def call(self, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*self.command, *map(str, arguments)], cwd=self.folder, text=True,
            capture_output=True, check=False, timeout=PATIENCE_S,
            env=os.environ | self.environment,
        )  # fmt: skip

    def start(self, *arguments: str | Path) -> subprocess.Popen[str]:
        """Start a driver in a session of its own; its output goes to driver.out."""
        # the tests may run under nohup, which a driver would inherit
        before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
        with (self.folder / "driver.out").open("a") as out:
            driver = subprocess.Popen(
                [*self.command, *map(str, arguments)], cwd=self.folder, text=True,
                stdout=out, stderr=subprocess.STDOUT, start_new_session=True,
                env=os.environ | self.environment,
            )  # fmt: skip
        signal.signal(signal.SIGHUP, before)
        self.drivers.append(driver)
        return driver

    def status(self, run_dir: Path) -> dict[str, Any]:
        done = self.call("status", run_dir, "--json")
        assert done.returncode == 0, done.stderr
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    def wait_for(
        self, driver: subprocess.Popen[str], reached: Callable[[], bool]
    ) -> None:
        """Wait until ``reached``; fail where the driver ends first."""
        end = time.monotonic() + PATIENCE_S
        while not reached():
            assert driver.poll() is None, self.said()
            assert time.monotonic() < end, self.said()
            time.sleep(0.05)

    def said(self) -> str:
        return (self.folder / "driver.out").read_text()[-3000:]

    def kill(self, driver: subprocess.Popen[str]) -> None:
        os.kill(driver.pid, signal.SIGKILL)
        driver.wait()


@pytest.fixture
def weft(tmp_path: Path) -> Any:
    command = Weft(tmp_path)
    yield command
    for driver in command.drivers:
        if driver.poll() is None:
            command.kill(driver)
    end_run_processes(tmp_path)


@pytest.fixture(scope="session")
def weft_in() -> Callable[[Path], Weft]:
    """Return what makes the weft command that runs in a folder."""
    return Weft


def end_run_processes(below: Path) -> None:
    """End what a killed driver left, so that no test disturbs the next."""
    for process in run_processes(below):
        process.kill()


def run_processes(below: Path, variable: str = "WEFT_RUN_DIR") -> list[psutil.Process]:
    """Return the processes whose environment names ``below``, or a folder in it."""
    found = []
    for process in psutil.process_iter():
        try:
            named = process.environ().get(variable, "")
        except psutil.Error:
            continue
        if named.startswith(str(below)) and process.pid != os.getpid():
            found.append(process)
    return found


@pytest.fixture
def find_run_processes() -> Callable[[Path], list[psutil.Process]]:
    return run_processes


@pytest.fixture
def pool_environment(tmp_path: Path) -> Iterator[dict[str, str]]:
    """Return what a pool needs in its environment so that it ends with its test.

    A pool that is killed leaves Parsl's SyncManager, of which no driver knows.
    """
    variable = "WEFT_TEST_POOL"
    yield {variable: str(tmp_path)}
    left = run_processes(tmp_path, variable)
    for process in left:
        process.kill()
    psutil.wait_procs(left, timeout=10)
    assert not run_processes(tmp_path, variable)


def write_other_project(folder: Path) -> None:
    """Write packages with the names of weft's own, which nothing may import."""
    for name in ("apps", "campaign", "site_configs"):
        (folder / name).mkdir()
        said = f"raise ImportError('this is the {name} of another project')\n"
        (folder / name / "__init__.py").write_text(said)


@pytest.fixture
def other_project(tmp_path: Path) -> Path:
    """Return a folder with packages of another project that have weft's names."""
    write_other_project(tmp_path)
    return tmp_path


@pytest.fixture(scope="session")
def odd_folder() -> str:
    return ODD_FOLDER


@pytest.fixture(scope="session")
def alanine_yaml() -> Path:
    return ALANINE


@pytest.fixture(scope="session")
def from_wheel(make_once: Callable[..., Path]) -> Path:
    """Return the bin folder of an environment with weft's wheel, outside the checkout.

    What weft needs is taken from the environment of the tests, weft itself is not.
    """

    def install(folder: Path) -> None:
        sources, wheels = folder / "sources", folder / "wheels"
        sources.mkdir()
        for name in ("pyproject.toml", "setup.py", "README.md", "LICENSE"):
            shutil.copy(REPOSITORY / name, sources)
        for name in ("apps", "campaign", "site_configs"):
            left_out = shutil.ignore_patterns("__pycache__")
            shutil.copytree(REPOSITORY / name, sources / name, ignore=left_out)
        pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
        alone = ["--no-deps", "--no-index"]
        build = ["wheel", *alone, "--no-build-isolation", "--wheel-dir", wheels]
        subprocess.run([*pip, *build, sources], check=True)
        shutil.rmtree(sources)
        place = folder / "environment"
        venv.create(place)
        python = place / "bin" / "python"
        packages = Path(sysconfig.get_path("purelib", vars={"base": str(place)}))
        # only this line's folder: the editable weft in it stays unseen
        (packages / "theirs.pth").write_text(f"{sysconfig.get_path('purelib')}\n")
        put = ["--python", python, "install", *alone, *wheels.glob("*.whl")]
        subprocess.run([*pip, *put], check=True)

    return make_once("from_wheel", install) / "environment" / "bin"


@pytest.fixture(scope="session")
def uninterrupted(make_once: Callable[..., Path], from_wheel: Path) -> Path:
    """Run the alanine example once, start to end, for every test that reads one.

    It lies in a folder of an odd name, beside a file that the name begins with, and
    among packages of another project. The weft that runs it is that of the wheel.
    """

    def run(folder: Path) -> None:
        (odd := folder / ODD_FOLDER).mkdir()
        (folder / "a").write_text("thesis")
        write_other_project(odd)
        with watching_sockets(odd, folder / "sockets.json"):
            done = Weft(odd, (str(from_wheel / "weft"),)).call("run", ALANINE)
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]

    made = make_once("uninterrupted", run)
    return made / ODD_FOLDER / "runs" / "alanine_dipeptide"


def compare_west(one: Path, other: Path, n_iterations: int | None = None) -> None:
    """Compare two ensembles, whole or up to ``n_iterations``."""
    with h5py.File(one, "r") as a, h5py.File(other, "r") as b:
        names = list(a["iterations"])[:n_iterations]
        assert names == list(b["iterations"])[:n_iterations]
        for name in names:
            group = a["iterations"][name]
            twin = b["iterations"][name]
            for column in ("weight", "parent_id"):
                np.testing.assert_array_equal(
                    group["seg_index"][column], twin["seg_index"][column]
                )
            np.testing.assert_array_equal(group["pcoord"], twin["pcoord"])


def compare_datasets(one: Path, other: Path) -> None:
    with h5py.File(one, "r") as a, h5py.File(other, "r") as b:
        names: list[str] = []
        a.visititems(
            lambda n, x: names.append(n) if isinstance(x, h5py.Dataset) else None
        )
        assert names
        for name in names:
            np.testing.assert_array_equal(a[name][()], b[name][()])


def compare_stores(one: Path, other: Path) -> None:
    """Compare frames and columns, wherever the frames lie."""
    from apps.science.segments.store import PER_FRAME, open_store

    with open_store(one) as a, open_store(other) as b:
        assert ("weight_eq" in a) == ("weight_eq" in b)
        more = ["weight_eq"] if "weight_eq" in a else []
        for name in ("positions", "forces", *PER_FRAME, *more):
            np.testing.assert_array_equal(a[name][:], b[name][:])


def compare_runs(one: Path, other: Path) -> None:
    """Check that two force-field campaigns ended with the same bits."""
    for name in ("we", "benchmark/weighted", "benchmark/unweighted"):
        compare_west(one / name / "west.h5", other / name / "west.h5")
    compare_stores(one / "segments.h5", other / "segments.h5")
    for name in ("cg/dataset.h5", "reference/frames.h5"):
        compare_datasets(one / name, other / name)
    for model in ("weighted", "unweighted"):
        scores, twins = (
            json.loads((r / "benchmark" / model / "metrics.json").read_text())
            for r in (one, other)
        )
        assert scores["metrics"] == twins["metrics"]


@pytest.fixture(scope="session")
def compare_campaigns() -> Callable[[Path, Path], None]:
    return compare_runs


@pytest.fixture(scope="session")
def compare_ensembles() -> Callable[..., None]:
    """Return what compares the weights, parents and coordinates of two west.h5."""
    return compare_west


@pytest.fixture(scope="session")
def alanine_system(make_once: Callable[..., Path]) -> Path:
    """Return a prepared alanine dipeptide in OBC2: 22 atoms, one start."""
    from apps.science.systems.config import SystemConfig
    from apps.science.systems.prepare import prepare_system

    config = SystemConfig(sequence="A", caps=True, solvent="obc2", equilibration_ps=1.0)
    return (
        make_once(
            "alanine", lambda folder: prepare_system(config, 7, folder / "system")
        )
        / "system"
    )
