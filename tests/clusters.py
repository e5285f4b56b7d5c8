"""What suites with a real batch system share: its life, and toy campaigns run on it."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Self

import psutil
import pytest
import yaml

from site_configs.pools.batch_jobs import read_jobs

SEARCH_PATH = os.pathsep.join([os.environ["PATH"], "/usr/sbin", "/sbin"])
TOYS = Path(__file__).parent / "toys"
"""A folder of plug-ins: campaign types, and a propagator that workers need."""
WEFT = Path(sys.executable).with_name("weft")
PATIENCE_S = 120.0
N_ITERATIONS = 4
# a test run that is killed leaves no cluster behind
WATCH = """
while kill -0 "$1"; do sleep 2; done
"$2" stop --purge
rmdir "$3"
"""


@dataclass
class OneHostCluster(ABC):
    """A running batch system of this host, started and stopped by a script."""

    script: ClassVar[Path]

    root: Path
    """All its state."""
    port: int
    """The first of its ports."""

    @property
    @abstractmethod
    def environment(self) -> dict[str, str]:
        """Variables by which its programs, and the script, find it."""

    @abstractmethod
    def jobs(self) -> dict[str, str]:
        """Return all jobs that have not left, by id."""

    @abstractmethod
    def cancel(self, *jobs: str) -> None:
        """Cancel jobs that wait or run."""

    @classmethod
    def skip_without(cls, programs: Iterable[str], name: str) -> None:
        missing = [p for p in programs if shutil.which(p, path=SEARCH_PATH) is None]
        if missing:
            pytest.skip(f"no {name} to test with: {', '.join(missing)} not installed")

    def control(self, *arguments: str) -> None:
        """Call the script; daemons keep its output open, so it goes to a file."""
        said = self.root.parent / f"{self.root.name}.out"
        with said.open("w") as out:
            done = subprocess.run(
                [self.script, *arguments], env=os.environ | self.environment,
                stdout=out, stderr=out, stdin=subprocess.DEVNULL, check=False,
            )  # fmt: skip
        words = said.read_text()
        said.unlink()
        assert done.returncode == 0, words

    def ask(self, *command: str) -> str:
        done = subprocess.run(
            command, env=os.environ | self.environment, text=True,
            capture_output=True, check=True, timeout=30,
        )  # fmt: skip
        return done.stdout.strip()

    def keep_up(self) -> Iterator[Self]:
        """Start it, give it out once, stop it and remove what it wrote."""
        watchman = subprocess.Popen(
            ["bash", "-c", WATCH, "watch",
             str(os.getpid()), str(self.script), str(self.root.parent)],
            env=os.environ | self.environment, start_new_session=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )  # fmt: skip
        try:
            self.control("start")
            yield self
        finally:
            self.control("stop", "--purge")
            watchman.kill()
            watchman.wait()
            shutil.rmtree(self.root.parent, ignore_errors=True)


def make_root(name: str) -> Path:
    """Return a folder for a cluster's state; a short one, since it holds sockets."""
    return Path(tempfile.mkdtemp(prefix=f"weft-{name}-")) / "root"


def free_ports() -> int:
    """Return the first of 200 ports that nobody listens on, below the ephemeral."""
    for base in range(17000 + os.getpid() % 50 * 200, 32000, 200):
        try:
            for port in (*range(base, base + 10), base + 90, base + 91):
                with socket.socket() as probe:
                    probe.bind(("127.0.0.1", port))
        except OSError:
            continue
        return base
    raise AssertionError("no range of ports is free")


def write_toy(folder: Path, n_iterations: int) -> Path:
    path = folder / "toy.yaml"
    sample = {
        "n_iterations": n_iterations,
        "walkers_per_bin": 3,
        "bins": {"kind": "mab", "nbins": [4]},
        "segments_per_block": 2,
    }
    toy = {"name": "toy", "type": "toy_we", "seed": 11, "sample": sample}
    toy["plugins"] = str(TOYS)
    path.write_text(yaml.safe_dump(toy))
    return path


@dataclass
class ToyRun:
    """A toy campaign on a cluster, and what must be true of it at its end."""

    weft: Any
    cluster: Any
    campaign: Path
    undisturbed: Path
    compare: Callable[..., None]
    find_processes: Callable[[Path], list[psutil.Process]]

    @property
    def run_dir(self) -> Path:
        return self.weft.folder / "runs" / "toy"

    def start(self, site: Path) -> Any:
        return self.weft.start("run", self.campaign, "--site", site)

    def resume(self) -> Any:
        return self.weft.start("resume", self.run_dir)

    def n_closed(self) -> int:
        """Count the iterations that are closed."""
        return len(list((self.run_dir / "we" / "journal").glob("iter_*.json")))

    def n_shards(self) -> int:
        return len(list((self.run_dir / "we" / "shards").rglob("seg_*.h5")))

    def job(self) -> str:
        """Return the job id of the newest block of md, empty before there is one."""
        jobs = read_jobs(self.run_dir / "jobs.jsonl")
        return ["", *(j.job_id for j in jobs if j.executor == "md" and j.job_id)][-1]

    def job_ids(self) -> list[str]:
        return [j.job_id for j in read_jobs(self.run_dir / "jobs.jsonl") if j.job_id]

    def in_mid_segment(self, driver: Any, n_closed: int = 1) -> None:
        """Wait until blocks of an iteration are at work and one of them is done."""
        self.weft.wait_for(driver, lambda: self.n_closed() >= n_closed)
        shards = self.n_shards()
        self.weft.wait_for(driver, lambda: self.n_shards() > shards)

    def find_process(self, word: str) -> psutil.Process:
        """Return the run's process with ``word`` in its command line."""
        processes = self.find_processes(self.run_dir)
        lines = {p: " ".join(p.cmdline()) for p in processes}
        found = [p for p, line in lines.items() if word in line]
        assert found, lines
        return found[0]

    def finish(self, driver: Any) -> None:
        """Wait for the end; it must be as if nothing had happened."""
        assert driver.wait(timeout=PATIENCE_S) == 0, self.weft.said()
        self.compare(self.run_dir / "we" / "west.h5", self.undisturbed)
        self.nothing_left()

    def interrupt(self, driver: Any) -> None:
        """Stop a run that is longer than needed; what it did must be undisturbed."""
        os.kill(driver.pid, signal.SIGINT)
        assert driver.wait(timeout=PATIENCE_S) == 1, self.weft.said()
        west = self.run_dir / "we" / "west.h5"
        self.compare(west, self.undisturbed, N_ITERATIONS)
        self.nothing_left()

    def nothing_left(self) -> None:
        assert not self.find_processes(self.run_dir)
        assert read_jobs(self.run_dir / "jobs.jsonl") == []
        end = time.monotonic() + 10
        while left := self.cluster.jobs():  # it is still cleaning up
            assert time.monotonic() < end, left
            time.sleep(0.2)


@pytest.fixture(scope="session")
def undisturbed(make_once: Callable[..., Path]) -> Path:
    """Run the toy campaign on this host, once for all suites; return its west.h5."""

    def run(folder: Path) -> None:
        done = subprocess.run(
            [WEFT, "run", write_toy(folder, N_ITERATIONS)], cwd=folder, text=True,
            capture_output=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr

    return make_once("toy", run) / "runs" / "toy" / "we" / "west.h5"


@pytest.fixture
def run_toy(
    weft: Any,
    undisturbed: Path,
    compare_ensembles: Callable[..., None],
    find_run_processes: Callable[[Path], list[psutil.Process]],
) -> Iterator[Callable[..., ToyRun]]:
    """Return what prepares a toy campaign on a cluster."""
    used: list[OneHostCluster] = []

    def prepare(cluster: OneHostCluster, n_iterations: int = N_ITERATIONS) -> ToyRun:
        used.append(cluster)
        weft.environment = cluster.environment
        toy = write_toy(weft.folder, n_iterations)
        return ToyRun(
            weft, cluster, toy, undisturbed, compare_ensembles, find_run_processes
        )

    yield prepare
    for cluster in used:  # so that a test that fails does not disturb the next
        cluster.cancel(*cluster.jobs())


def write_two_pools(
    folder: Path, shared: dict[str, Any], gpu: dict[str, Any], cpu: dict[str, Any]
) -> Path:
    """Write a site whose executor gpu serves md and train, and cpu analysis."""
    site = {
        "executors": {"gpu": shared | gpu, "cpu": shared | cpu},
        "roles": {"md": "gpu", "train": "gpu", "analysis": "cpu"},
    }
    path = folder / "site.yaml"
    path.write_text(yaml.safe_dump(site))
    return path
