"""Every command of docs/sites.md, in the page's order, on a Slurm with accounting.

A command has to succeed, and to say what the page shows below it, whatever the numbers.
``make install`` made the environment that runs these tests; it is rehearsed here.
"""

import getpass
import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

REPOSITORY = Path(__file__).parents[2]
PAGE = REPOSITORY / "docs" / "sites.md"
PATIENCE_S = 60.0
STAYS = ("source ", "export ", "cd ")
"""A shell remembers these for the commands that follow."""

CLUSTER = {  # the page's numbers -> the cluster's that the tests have
    "gpus_per_node: 4": "gpus_per_node: 2",
    "cores_per_node: 64": "cores_per_node: 2",
    "cores_per_worker: 16": "cores_per_worker: 1",
    "cores_per_node: 8": "cores_per_node: 2",
    "06:00:00": "00:30:00",
    "max_blocks: 4": "max_blocks: 1",
}
SMALL = {  # what `weft init` writes -> a campaign that samples after a few seconds
    "fold: chignolin": "sequence: A\n  caps: true\n  beads: backbone\n"
    "  equilibration_ps: 1",
    "n_walks: 6": "n_walks: 2",
    "walk_length_ps: 1000": "walk_length_ps: 20\n  lineage_block_ps: 4",
    "frame_interval_ps: 1.0": "frame_interval_ps: 0.4",
    "lag_ps: 10": "lag_ps: 4\n  features: dihedrals",
    "walkers_per_bin: 6": "walkers_per_bin: 2",
    "nbins: [9, 9]": "nbins: [3, 3]",
}


class Step(NamedTuple):
    """A command of the page, and the lines that the page shows below it."""

    command: str
    shown: list[str]


def read_steps() -> list[Step]:
    steps: list[Step] = []
    blocks = re.findall(r"```console\n(.*?)```", PAGE.read_text(), re.DOTALL)
    for line in "".join(blocks).splitlines():
        if line.startswith("$ "):
            steps.append(Step(line.removeprefix("$ "), []))
        else:
            steps[-1].shown.append(line)
    return steps


def words(said: str) -> str:
    """Return what was said, without the lines of tables and with 0 for any number."""
    return " ".join(re.sub(r"\d+", "0", re.sub(r"[\u2500-\u257f]", " ", said)).split())


def edit(path: Path, changes: dict[str, str]) -> None:
    text = path.read_text()
    for old, new in changes.items():
        assert old in text, f"{path.name} has no {old!r} to change"
        text = text.replace(old, new)
    path.write_text(text)


class Reader:
    """Somebody at a login node who types what the page says, and edits its files."""

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        self.folder, self.environment = folder, os.environ | environment
        self.remembered: list[str] = []
        for name in ("site_configs", "Makefile", "pyproject.toml", "constraints.txt"):
            (folder / name).symlink_to(REPOSITORY / name)
        (folder / ".venv").symlink_to(sys.prefix)

    def call(self, command: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            ["bash", "-c", "\n".join([*self.remembered, command])], cwd=self.folder,
            env=self.environment, text=True, capture_output=True, check=False,
            stdin=subprocess.DEVNULL, timeout=PATIENCE_S,
        )  # fmt: skip

    def type(self, step: Step) -> None:
        rehearsed = step.command.replace("make install", "make --dry-run install")
        done = self.call(rehearsed)
        assert done.returncode == 0, f"{step.command}\n{done.stdout}{done.stderr}"
        for line in step.shown:
            assert words(line) in words(done.stdout), f"{step.command}\n{done.stdout}"
        if step.command.startswith(STAYS):
            self.remembered.append(step.command)

    def fill_in_site(self) -> None:
        site = self.folder / "my_cluster.yaml"
        assert "<project>" in site.read_text()
        (filled_in,) = re.findall(r"```yaml\n(.*?)```", PAGE.read_text(), re.DOTALL)
        site.write_text(filled_in)
        edit(site, CLUSTER)

    def shrink_campaign(self) -> None:
        edit(self.folder / "campaign.yaml", SMALL)

    def look_until(self, *said: str) -> None:
        """Look at the run until its status says what is waited for."""
        end = time.monotonic() + PATIENCE_S
        while not all(part in self.status() for part in said):
            assert time.monotonic() < end, self.status()
            time.sleep(1.5)

    def status(self) -> str:
        return words(self.call("weft status runs/my_protein").stdout)

    def watch(self, step: Step) -> None:
        """Open the page that a command serves, as a browser does, and end it."""
        lines = [*self.remembered, f"exec {step.command} --port 0"]
        server = subprocess.Popen(
            ["bash", "-c", "\n".join(lines)], cwd=self.folder, text=True,
            env=self.environment | {"PYTHONUNBUFFERED": "1"}, stdout=subprocess.PIPE,
        )  # fmt: skip
        assert server.stdout is not None
        try:
            url = server.stdout.readline().split()[-1]
            with urllib.request.urlopen(url, timeout=10) as page:
                assert "my_protein" in page.read().decode()
        finally:
            server.send_signal(signal.SIGINT)
            assert server.wait(timeout=10) == 0


@pytest.fixture
def cluster(slurm_with_accounting: Any) -> Iterator[Any]:
    """Return a cluster, and cancel on it what a test that fails has left."""
    yield slurm_with_accounting
    for job in slurm_with_accounting.jobs("PENDING,RUNNING"):
        slurm_with_accounting.ask("scancel", job)


@pytest.fixture
def reader(cluster: Any, weft: Any) -> Reader:
    """Return somebody who works in the folder in which ``weft`` ends what is left."""
    if not Path(sys.prefix, "bin", "activate").exists():
        pytest.skip("this Python is no virtual environment to activate")
    screen = {"COLUMNS": "200", "USER": getpass.getuser()}
    return Reader(weft.folder, cluster.environment | screen)


def test_a_newcomer_gets_from_a_login_to_a_running_campaign(
    cluster: Any, reader: Reader, find_run_processes: Callable[[Path], list[Any]]
) -> None:
    edits = {"cp site": reader.fill_in_site, "weft init": reader.shrink_campaign}
    running = ("my_protein: running", "sample running")
    for step in read_steps():
        if step.command.startswith(("weft status", "weft watch")):
            reader.look_until(*running)
        if step.command.startswith("weft watch"):
            reader.watch(step)
        else:
            reader.type(step)
        for start, change in edits.items():
            if step.command.startswith(start):
                change()
    reader.look_until(*running)
    reader.type(Step("weft stop runs/my_protein", ["The driver has left."]))
    assert not find_run_processes(reader.folder)
    end = time.monotonic() + 10
    while cluster.jobs():
        assert time.monotonic() < end, cluster.ask("squeue")
        time.sleep(0.2)
