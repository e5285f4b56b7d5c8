"""A real one-host Grid Engine for the tests."""

import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import pytest

from site_configs.pools.gridengine_queue import read_queue

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))
from clusters import (  # noqa: E402
    SEARCH_PATH,
    OneHostCluster,
    free_ports,
    make_root,
    run_toy,
    undisturbed,
    write_two_pools,
)

__all__ = ["run_toy", "undisturbed"]

PROGRAMS = ("sge_qmaster", "sge_execd", "qsub", "qconf")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers", "gridengine: brings up a real Grid Engine on this host"
    )


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents:
            item.add_marker("gridengine")


@dataclass
class Cluster(OneHostCluster):
    """A running Grid Engine: queues all.q and gpu.q, four slots each, of an hour."""

    script: ClassVar[Path] = HERE / "gridenginetest.sh"

    @property
    def environment(self) -> dict[str, str]:
        return {
            "SGE_ROOT": str(self.root),
            "SGE_CELL": "default",
            "SGE_QMASTER_PORT": str(self.port),
            "SGE_EXECD_PORT": str(self.port + 1),
            "GRIDENGINETEST_ROOT": str(self.root),
            "GRIDENGINETEST_PORT": str(self.port),
            "PATH": SEARCH_PATH,
        }

    def jobs(self) -> dict[str, str]:
        """Return the state, such as qw, r or dr, of every job by its id."""
        answer = self.ask("qstat", "-xml", "-u", "*")
        owner = self.ask("id", "-un")
        return {job.job_id: job.state for job in read_queue(answer, owner)}

    def cancel(self, *jobs: str) -> None:
        waiting = [job for job, state in self.jobs().items() if "d" not in state]
        if asked := set(jobs) & set(waiting):
            self.ask("qdel", *asked)

    def submit(self, script: str, *options: str) -> str:
        return self.ask(
            "qsub", "-terse", "-b", "y", "-o", "/dev/null", "-e", "/dev/null",
            *options, "bash", "-c", f"'{script}'",
        )  # fmt: skip


@pytest.fixture(scope="session")
def gridengine() -> Iterator[Cluster]:
    Cluster.skip_without(PROGRAMS, "Grid Engine")
    if os.geteuid() != 0:
        pytest.skip("no Grid Engine to test with: its daemon of a node needs root")
    yield from Cluster(make_root("gridengine"), free_ports()).keep_up()


def write_site(folder: Path, **gpu: Any) -> Path:
    """Write a site: md and train on queue gpu.q, two slots a job, analysis on all.q."""
    shared = {"scheduler": "gridengine", "walltime": "00:20:00", "heartbeat_seconds": 1}
    slots = {"queue": "gpu.q", "cores_per_node": 2, "scheduler_options": "#$ -pe smp 2"}
    cpu = {"queue": "all.q", "cores_per_node": 1}
    return write_two_pools(folder, shared, slots | gpu, cpu)


@pytest.fixture(scope="session")
def make_site() -> Callable[..., Path]:
    return write_site
