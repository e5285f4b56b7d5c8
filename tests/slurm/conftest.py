"""A real one-host Slurm for the tests, and toy campaigns run on it by the command."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest
import yaml

from site_configs.pools.batch_jobs import read_jobs

HERE = Path(__file__).parent
SCRIPT = HERE / "slurmtest.sh"
PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch")
ACCOUNTING = ("slurmdbd", "mariadbd", "mariadb-install-db")
SEARCH_PATH = os.pathsep.join([os.environ["PATH"], "/usr/sbin", "/sbin"])
TOY = (sys.executable, str(HERE / "weft_with_toy.py"))
PATIENCE_S = 120.0
# a test run that is killed leaves no cluster behind
WATCH = """
while kill -0 "$1"; do sleep 2; done
"$2" stop --purge
rmdir "${SLURMTEST_ROOT%/*}"
"""
N_ITERATIONS = 4


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "slurm: brings up a real Slurm on this host")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents:
            item.add_marker("slurm")


@dataclass
class Cluster:
    """A running Slurm: two cpu nodes, two gpu nodes with two fake GPUs each."""

    root: Path
    port: int
    accounting: bool

    @property
    def environment(self) -> dict[str, str]:
        return {
            "SLURM_CONF": str(self.root / "slurm.conf"),
            "SLURMTEST_ROOT": str(self.root),
            "SLURMTEST_PORT": str(self.port),
            "SLURMTEST_SACCT": str(int(self.accounting)),
            "PATH": SEARCH_PATH,
        }

    def control(self, *arguments: str) -> None:
        """Call slurmtest.sh; daemons keep its output open, so it goes to a file."""
        said = self.root.parent / f"{self.root.name}.out"
        with said.open("w") as out:
            done = subprocess.run(
                [SCRIPT, *arguments], env=os.environ | self.environment,
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

    def jobs(self, states: str = "PENDING,RUNNING,COMPLETING") -> dict[str, str]:
        """Return the node list, empty while it waits, of every job by its id."""
        rows = self.ask("squeue", "-h", f"--states={states}", "-o", "%i|%N")
        return dict(row.split("|") for row in rows.splitlines())

    def submit(self, script: str, *options: str) -> str:
        return self.ask(
            "sbatch", "--parsable", "--output=/dev/null", *options, "--wrap", script
        )

    def kill_node(self, node: str) -> None:
        """Kill a node's daemon and all that it started, as a dying node does."""
        daemon = int((self.root / f"run/slurmd-{node}.pid").read_text())
        here = {"SLURM_CONF": str(self.root / "slurm.conf"), "SLURMD_NODENAME": node}
        doomed = {psutil.Process(daemon)}
        for process in psutil.process_iter():
            try:
                if here.items() <= process.environ().items():
                    steps = [p for p in process.parents() if p.name() == "slurmstepd"]
                    doomed |= {process, *steps}
            except psutil.Error:
                continue
        for process in doomed:
            process.kill()


def bring_up(accounting: bool) -> Iterator[Cluster]:
    programs = PROGRAMS + (ACCOUNTING if accounting else ())
    missing = [p for p in programs if shutil.which(p, path=SEARCH_PATH) is None]
    if missing:
        pytest.skip(f"no Slurm to test with: {', '.join(missing)} not installed")
    folder = Path(tempfile.mkdtemp(prefix="weft-slurm-"))  # short: it holds sockets
    cluster = Cluster(folder / "root", free_ports(), accounting)
    watchman = subprocess.Popen(
        ["bash", "-c", WATCH, "watch", str(os.getpid()), str(SCRIPT)],
        env=os.environ | cluster.environment, start_new_session=True,
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        cluster.control("start")
        yield cluster
    finally:
        cluster.control("stop", "--purge")
        watchman.kill()
        watchman.wait()
        shutil.rmtree(folder, ignore_errors=True)


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


@pytest.fixture(scope="session")
def slurm() -> Iterator[Cluster]:
    """Return a Slurm without accounting: Parsl asks squeue."""
    yield from bring_up(accounting=False)


@pytest.fixture(scope="session")
def slurm_with_accounting() -> Iterator[Cluster]:
    """Return a Slurm with accounting: Parsl asks sacct."""
    yield from bring_up(accounting=True)


@pytest.fixture(params=["squeue", "sacct"])
def any_slurm(request: pytest.FixtureRequest) -> Cluster:
    accounting = request.param == "sacct"
    name = "slurm_with_accounting" if accounting else "slurm"
    found: Cluster = request.getfixturevalue(name)
    return found


def write_site(folder: Path, **gpu: Any) -> Path:
    """Write a site: md and train on the gpu partition, analysis on cpu."""
    shared = {"scheduler": "slurm", "exclusive": False, "walltime": "00:20:00",
              "heartbeat_seconds": 1}  # fmt: skip
    site = {
        "executors": {
            "gpu": shared | {"partition": "gpu", "gpus_per_node": 2,
                             "cores_per_node": 2} | gpu,
            "cpu": shared | {"partition": "cpu", "cores_per_node": 1},
        },
        "roles": {"md": "gpu", "train": "gpu", "analysis": "cpu"},
    }  # fmt: skip
    path = folder / "site.yaml"
    path.write_text(yaml.safe_dump(site))
    return path


@pytest.fixture(scope="session")
def make_site() -> Callable[..., Path]:
    return write_site


def write_toy(folder: Path, n_iterations: int) -> Path:
    path = folder / "toy.yaml"
    sample = {
        "n_iterations": n_iterations,
        "walkers_per_bin": 3,
        "bins": {"kind": "mab", "nbins": [4]},
        "segments_per_block": 2,
    }
    toy = {"name": "toy", "type": "toy_we", "seed": 11, "sample": sample}
    path.write_text(yaml.safe_dump(toy))
    return path


@dataclass
class ToyRun:
    """A toy campaign on a cluster, and what must be true of it at its end."""

    weft: Any
    cluster: Cluster
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
        while self.cluster.jobs():  # Slurm is still cleaning up
            assert time.monotonic() < end, self.cluster.ask("squeue")
            time.sleep(0.2)


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Run the toy campaign on this host, undisturbed; return its west.h5."""
    folder = tmp_path_factory.mktemp("toy")
    done = subprocess.run(
        [*TOY, "run", write_toy(folder, N_ITERATIONS)], cwd=folder, text=True,
        capture_output=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return folder / "runs" / "toy" / "we" / "west.h5"


@pytest.fixture
def run_toy(
    weft: Any,
    undisturbed: Path,
    compare_ensembles: Callable[..., None],
    find_run_processes: Callable[[Path], list[psutil.Process]],
) -> Iterator[Callable[..., ToyRun]]:
    """Return what prepares a toy campaign on a cluster."""
    used: list[Cluster] = []

    def prepare(cluster: Cluster, n_iterations: int = N_ITERATIONS) -> ToyRun:
        used.append(cluster)
        weft.command, weft.environment = TOY, cluster.environment
        toy = write_toy(weft.folder, n_iterations)
        return ToyRun(
            weft, cluster, toy, undisturbed, compare_ensembles, find_run_processes
        )

    yield prepare
    for cluster in used:  # so that a test that fails does not disturb the next
        for job in cluster.jobs("PENDING,RUNNING"):
            cluster.ask("scancel", job)
