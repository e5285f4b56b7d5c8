"""Campaigns run as a person runs them: the weft command in a process of its own."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import pytest

REPOSITORY = Path(__file__).parents[2]
ALANINE = REPOSITORY / "examples" / "02_alanine_dipeptide" / "campaign.yaml"
WEFT = Path(sys.executable).with_name("weft")
PATIENCE_S = 600


@dataclass
class Weft:
    """The weft command, and the drivers started with it."""

    folder: Path
    drivers: list[subprocess.Popen[str]] = field(default_factory=list)

    def call(self, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [WEFT, *map(str, arguments)], cwd=self.folder, text=True,
            capture_output=True, check=False, timeout=PATIENCE_S,
        )  # fmt: skip

    def start(self, *arguments: str | Path) -> subprocess.Popen[str]:
        """Start a driver in a session of its own; its output goes to driver.out."""
        out = (self.folder / "driver.out").open("a")
        driver = subprocess.Popen(
            [WEFT, *map(str, arguments)], cwd=self.folder, text=True,
            stdout=out, stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip
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


def end_run_processes(below: Path) -> None:
    """End what a killed driver left, so that no test disturbs the next."""
    for process in run_processes(below):
        process.kill()


def run_processes(below: Path) -> list[psutil.Process]:
    found = []
    for process in psutil.process_iter():
        try:
            run_dir = process.environ().get("WEFT_RUN_DIR", "")
        except psutil.Error:
            continue
        if run_dir.startswith(str(below)) and process.pid != os.getpid():
            found.append(process)
    return found


@pytest.fixture
def find_run_processes() -> Callable[[Path], list[psutil.Process]]:
    return run_processes


@pytest.fixture(scope="session")
def alanine_yaml() -> Path:
    return ALANINE


@pytest.fixture(scope="session")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Run the alanine example once, start to end, for every test that reads one."""
    folder = tmp_path_factory.mktemp("uninterrupted")
    command = Weft(folder)
    began = time.monotonic()
    done = command.call("run", ALANINE)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    run_dir = folder / "runs" / "alanine_dipeptide"
    (folder / "seconds.txt").write_text(f"{time.monotonic() - began:.1f}")
    return run_dir
