"""How tests share a host: what is made once, what stays together, what runs alone.

``make test`` runs two processes of pytest (pytest-xdist). tests/README.md says what
that asks of a test.
"""

import fcntl
import functools
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import filelock
import pytest

HERE = Path(__file__).parent
CLUSTERS, CAMPAIGNS = "clusters", "campaigns"
LONGEST_FIRST = (CLUSTERS, CAMPAIGNS, "continuity", "integration", "unit", "contracts")
MakeOnce = Callable[[str, Callable[[Path], object]], Path]


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers", "alone: no other test runs meanwhile, so that a time means something"
    )


@functools.cache
def name_group(place: str) -> str:
    """Return the group of a file in tests/: one process runs it, test by test.

    A file is its own group, so that what a module makes is made once. Clusters mostly
    wait, so all of them are one; so are those who wait for the same campaign.
    """
    kind = place.split("/", maxsplit=1)[0]
    if kind in {"slurm", "gridengine"}:
        return CLUSTERS
    if kind == "integration" and "uninterrupted" in (HERE / place).read_text():
        return CAMPAIGNS
    return place


def place_in_queue(group: str) -> int:
    kind = group.split("/", maxsplit=1)[0]
    return LONGEST_FIRST.index(kind) if kind in LONGEST_FIRST else len(LONGEST_FIRST)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    def queue(item: pytest.Item) -> int:
        return place_in_queue(name_group(item.path.relative_to(HERE).as_posix()))

    items.sort(key=queue)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Give out groups, in the order of the queue.

    xdist 3.8 has marks of groups for this, which pytest 9.2 ignores without a word.
    """
    from xdist.scheduler import LoadScopeScheduling

    class Groups(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            path = config.rootpath / nodeid.split("::", maxsplit=1)[0]
            return name_group(path.relative_to(HERE).as_posix())

    config.option.loadscopereorder = False
    return Groups(config, log)


def is_worker(config: pytest.Config) -> bool:
    return hasattr(config, "workerinput")


@pytest.fixture(scope="session")
def make_once(
    pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory
) -> MakeOnce:
    """Return what fills a folder once for all processes; nobody may write in it."""
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if is_worker(pytestconfig) else base

    def find(name: str, make: Callable[[Path], object]) -> Path:
        folder, done = shared / name, shared / f"{name}.done"
        with filelock.FileLock(shared / f"{name}.lock"):
            if not done.exists():
                shutil.rmtree(folder, ignore_errors=True)
                folder.mkdir()
                make(folder)
                done.touch()
        return folder

    return find


@contextmanager
def hold(path: Path, how: int) -> Iterator[None]:
    file = os.open(path, os.O_CREAT | os.O_RDWR)
    try:
        fcntl.flock(file, how)
        yield
    finally:
        # not by closing alone: a process forked by the test would keep it
        fcntl.flock(file, fcntl.LOCK_UN)
        os.close(file)


@contextmanager
def the_host(folder: Path, alone: bool) -> Iterator[None]:
    """Share the host with tests of other processes, or have it to oneself.

    Who wants to be alone waits at the door, and nobody passes there meanwhile.
    """
    with ExitStack() as inside:
        with hold(folder / "door.lock", fcntl.LOCK_EX):
            how = fcntl.LOCK_EX if alone else fcntl.LOCK_SH
            inside.enter_context(hold(folder / "host.lock", how))
        yield


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    if not is_worker(item.config):
        return (yield)
    folder = Path(item.config.option.basetemp).parent
    with the_host(folder, alone=item.get_closest_marker("alone") is not None):
        return (yield)
