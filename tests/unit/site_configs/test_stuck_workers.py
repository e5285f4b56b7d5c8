"""A worker stands still by what its processes do, not by how long it takes."""

import multiprocessing
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace

import psutil
import pytest

from site_configs.pools.pool_watch import _find_lost, _workers_of
from site_configs.pools.stuck_workers import Stuck, StuckWorkers

HUNG_S = 2.0
WORKING = "while True: pass"
WAITING = "import time; time.sleep(60)"
READING = """
import time
while True:
    open("/dev/zero", "rb").read(1)
    time.sleep(0.2)
"""
PARENT = """
import subprocess, sys
subprocess.run([sys.executable, "-c", sys.argv[1]])
"""


@contextmanager
def process(*code: str) -> Iterator[psutil.Process]:
    started = psutil.Popen([sys.executable, "-c", *code])
    try:
        time.sleep(0.3)
        yield started
    finally:
        for one in [*started.children(recursive=True), started]:
            one.kill()
        started.wait()


def watch(worker: psutil.Process, task: object, seconds: float = 2 * HUNG_S) -> Stuck:
    """Return what is found last of a worker, None if nothing, or once it is over."""
    watcher = StuckWorkers(HUNG_S)
    found, end = None, time.monotonic() + seconds
    while time.monotonic() < end:
        stuck = watcher.look({3: (worker, task)})
        found = stuck[0] if stuck else None
        if found and found.over:
            break
        time.sleep(0.2)
    return found


def test_a_task_that_only_waits_stands_still() -> None:
    with process(WAITING) as worker:
        found = watch(worker, "a task")
    assert found.over
    assert found.pid == worker.pid
    assert "neither computes" in found.why


@pytest.mark.parametrize("code", [(WORKING,), (READING,), (PARENT, WORKING)])
def test_a_task_that_computes_or_reads_itself_or_by_a_child_does_not(code) -> None:
    with process(*code) as worker:
        assert watch(worker, "a task") is None


def test_a_worker_without_a_task_may_wait() -> None:
    with process(WAITING) as worker:
        assert watch(worker, None) is None


def test_the_next_task_begins_with_its_whole_time() -> None:
    watcher, end, task = StuckWorkers(HUNG_S), time.monotonic() + 2 * HUNG_S, 0
    with process(WAITING) as worker:
        while time.monotonic() < end:
            task += 1
            assert watcher.look({0: (worker, task)}) == []
            time.sleep(0.5)


@pytest.mark.parametrize("code", [(WORKING,), (PARENT, WORKING)])
def test_a_stopped_process_is_named_then_over_and_may_be_continued(code) -> None:
    with process(*code) as worker:
        stopped = (worker.children() or [worker])[0]
        watcher = StuckWorkers(HUNG_S)
        stopped.send_signal(signal.SIGSTOP)
        time.sleep(0.2)
        assert watcher.look({0: (worker, None)}) == []
        time.sleep(0.6 * HUNG_S)
        [named] = watcher.look({0: (worker, None)})
        assert (named.over, named.why) == (False, "is stopped")
        time.sleep(0.6 * HUNG_S)
        assert watcher.look({0: (worker, None)})[0].over
        stopped.send_signal(signal.SIGCONT)
        time.sleep(0.2)
        assert watcher.look({0: (worker, None)}) == []


def test_nothing_that_waits_hangs_where_that_is_switched_off() -> None:
    with process(WAITING) as worker:
        watcher = StuckWorkers(0.0)
        watcher.look({0: (worker, "a task")})
        time.sleep(0.5)
        assert watcher.look({0: (worker, "a task")}) == []


def test_a_worker_that_is_gone_is_passed_over() -> None:
    gone = subprocess.Popen(["true"])
    known = psutil.Process(gone.pid)
    gone.wait()
    assert StuckWorkers(HUNG_S).look({0: (known, "a task")}) == []


def test_a_manager_that_dies_while_it_is_asked_is_a_part_that_is_lost() -> None:
    shared = multiprocessing.Manager()
    manager = SimpleNamespace(_mp_manager=shared, _tasks_in_progress=shared.dict())
    assert _workers_of(manager) == {}
    shared._process.kill()
    shared._process.join()
    # what the watch passes over, to say at its next look what is gone
    with pytest.raises((EOFError, OSError)):
        _workers_of(manager)
    assert _find_lost(manager) == "its process SyncManager ended"
