"""A real one-host Slurm for the tests."""

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import psutil
import pytest

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))
from clusters import (  # noqa: E402
    SEARCH_PATH,
    OneHostCluster,
    free_ports,
    make_root,
    run_toy,
    undisturbed,
    write_toy,
    write_two_pools,
)

__all__ = ["Cluster", "bring_up", "run_toy", "undisturbed", "write_site", "write_toy"]

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch")
ACCOUNTING = ("slurmdbd", "mariadbd", "mariadb-install-db")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "slurm: brings up a real Slurm on this host")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents:
            item.add_marker("slurm")


@dataclass
class Cluster(OneHostCluster):
    """A running Slurm: two cpu nodes, two gpu nodes with two fake GPUs each."""

    script: ClassVar[Path] = HERE / "slurmtest.sh"

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

    def jobs(self, states: str = "PENDING,RUNNING,COMPLETING") -> dict[str, str]:
        """Return the node list, empty while it waits, of every job by its id."""
        rows = self.ask("squeue", "-h", f"--states={states}", "-o", "%i|%N")
        return dict(row.split("|") for row in rows.splitlines())

    def cancel(self, *jobs: str) -> None:
        if waiting := set(jobs) & set(self.jobs("PENDING,RUNNING")):
            self.ask("scancel", *waiting)

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
    Cluster.skip_without(programs, "Slurm")
    yield from Cluster(make_root("slurm"), free_ports(), accounting).keep_up()


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
    node = {"partition": "gpu", "gpus_per_node": 2, "cores_per_node": 2}
    cpu = {"partition": "cpu", "cores_per_node": 1}
    return write_two_pools(folder, shared, node | gpu, cpu)


@pytest.fixture(scope="session")
def make_site() -> Callable[..., Path]:
    return write_site


@pytest.fixture(scope="session")
def small_alanine() -> Path:
    """Return a whole campaign in about a minute: every stage, little of each."""
    return HERE / "alanine.yaml"


@pytest.fixture(scope="session")
def alanine_here(
    small_alanine: Path, weft_in: Callable[[Path], Any], make_once: Callable[..., Path]
) -> Path:
    """Return the run of that campaign on this host, undisturbed."""

    def run(folder: Path) -> None:
        done = weft_in(folder).call("run", small_alanine)
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]

    return make_once("small_alanine", run) / "runs" / "alanine"
