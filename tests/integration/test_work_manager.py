"""The Parsl work manager on real workers and on threads; its document's example."""

import argparse
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import h5py
import numpy as np
import psutil
import pytest
from parsl import Config
from parsl.executors import HighThroughputExecutor, ThreadPoolExecutor
from parsl.providers import LocalProvider
from westpa.work_managers.environment import WMEnvironment

from apps.science.errors import ConfigError, StageError
from apps.work_manager import ParslWorkManager, RemoteTraceback, register

REPOSITORY = Path(__file__).parents[2]
DOCUMENT = REPOSITORY / "docs" / "work-manager.md"


class TwoArgumentsError(Exception):
    def __init__(self, one: str, two: str) -> None:
        super().__init__(f"{one} and {two}")


def square(x: int, plus: int = 0) -> int:
    return x * x + plus


def sleep(seconds: float) -> float:
    time.sleep(seconds)
    return seconds


def fail(message: str) -> None:
    raise ValueError(message)


def fail_badly() -> None:
    raise TwoArgumentsError("this", "that")


def thread_config(folder: Path) -> Config:
    pool = ThreadPoolExecutor(label="md", max_threads=2)
    return Config(executors=[pool], run_dir=str(folder), usage_tracking=0)


def pool_config(folder: Path) -> Config:
    pool = HighThroughputExecutor(
        label="md", address="127.0.0.1", max_workers_per_node=2,
        provider=LocalProvider(
            init_blocks=1, max_blocks=1,
            # tasks defined in this file are unpickled by reference to it
            worker_init=f"export PYTHONPATH={REPOSITORY} OMP_NUM_THREADS=1",
        ),
    )  # fmt: skip
    return Config(
        executors=[pool], run_dir=str(folder), usage_tracking=0, strategy_period=0.25
    )


@pytest.fixture(scope="module", params=["pool", "threads"])
def manager(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ParslWorkManager]:
    folder = tmp_path_factory.mktemp(request.param)
    scripts = str(Path(sys.executable).parent)
    before = set(psutil.Process().children(recursive=True))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", scripts + os.pathsep + os.environ["PATH"])
        make = pool_config if request.param == "pool" else thread_config
        with ParslWorkManager(make(folder)) as started:
            yield started
    left = set(psutil.Process().children(recursive=True)) - before
    _, alive = psutil.wait_procs(left, timeout=10)
    # multiprocessing's own trackers stay with this process by design
    names = [" ".join(p.cmdline()) for p in alive]
    assert not [n for n in names if "resource_tracker" not in n]
    assert not started.running


def test_results_come_back_to_their_futures(manager: ParslWorkManager) -> None:
    futures = manager.submit_many([(square, (x,), {"plus": 1}) for x in range(5)])
    assert [f.get_result() for f in futures] == [1, 2, 5, 10, 17]
    assert all(f.done and f.exception is None and f.traceback is None for f in futures)
    ids = [f.task_id for f in futures]
    assert ids == list(range(ids[0], ids[0] + 5))
    assert manager.is_master
    assert manager.n_workers == 2


def test_a_discarded_result_is_gone_and_says_so(manager: ParslWorkManager) -> None:
    future = manager.submit(square, (3,))
    assert future.get_result(discard=False) == future.result == 9
    assert future.get_result() == 9
    with pytest.raises(StageError, match="discarded"):
        future.get_result()


def test_wait_any_returns_the_quick_one_first(manager: ParslWorkManager) -> None:
    slow, quick = manager.submit(sleep, (1.0,)), manager.submit(square, (2,))
    pending = {slow, quick}
    assert manager.wait_any(pending) is quick
    pending.remove(quick)
    assert manager.wait_any(pending) is slow
    # one that was returned before is still finished
    assert manager.wait_any([slow, quick]) in (slow, quick)


def test_sets_of_different_callers_do_not_disturb_each_other(
    manager: ParslWorkManager,
) -> None:
    mine = {manager.submit(square, (x,)) for x in range(4)}
    theirs = {manager.submit(square, (x,)) for x in range(4)}
    assert {manager.wait_any(theirs) for _ in range(1)} <= theirs
    assert set(manager.as_completed(theirs)) == theirs
    assert set(manager.as_completed(mine)) == mine
    assert manager.wait_all(mine | theirs)
    with pytest.raises(ValueError, match="no futures"):
        manager.wait_any([])


@pytest.mark.parametrize("queue_size", [None, 1, 3])
def test_a_stream_of_tasks_is_run_whole(
    manager: ParslWorkManager, queue_size: int | None
) -> None:
    tasks = ((square, (x,), {}) for x in range(7))
    done = manager.submit_as_completed(tasks, queue_size)
    assert sorted(f.get_result() for f in done) == [x * x for x in range(7)]


def test_an_exception_comes_back_with_its_traceback(manager: ParslWorkManager) -> None:
    future = manager.submit(fail, ("no such walker",))
    with pytest.raises(ValueError, match="no such walker") as caught:
        future.get_result()
    assert isinstance(caught.value.__cause__, RemoteTraceback)
    for text in (str(caught.value.__cause__), future.traceback):
        assert "in fail" in text
        assert "raise ValueError(message)" in text
    assert isinstance(future.exception, ValueError)
    with pytest.raises(ValueError, match="no such walker"):
        manager.wait_all([manager.submit(square, (1,)), future])


def test_an_exception_that_cannot_travel_hangs_nothing(
    manager: ParslWorkManager,
) -> None:
    future = manager.submit(fail_badly)
    in_process = manager.submit(os.getpid).get_result() == os.getpid()
    kind = TwoArgumentsError if in_process else StageError
    with pytest.raises(kind, match="this and that"):
        future.get_result()
    assert "fail_badly" in str(future.traceback)
    assert manager.submit(square, (4,)).get_result() == 16


def test_draining_finished_futures_is_quick(manager: ParslWorkManager) -> None:
    futures = manager.submit_many([(square, (x,), {}) for x in range(2000)])
    manager.wait_all(futures)
    pending, began = set(futures), time.perf_counter()
    while pending:
        pending.remove(manager.wait_any(pending))
    assert time.perf_counter() - began < 5.0


def test_shutdown_fails_what_is_unfinished(tmp_path: Path) -> None:
    manager = ParslWorkManager(thread_config(tmp_path))
    with pytest.raises(StageError, match="not running"):
        manager.submit(square, (1,))
    manager.startup()
    manager.startup()
    running = [manager.submit(sleep, (0.5,)) for _ in range(8)]
    manager.shutdown()
    manager.shutdown()
    errors = [future.exception for future in running]
    assert any(isinstance(error, StageError) for error in errors)
    assert all(future.done for future in running)
    with pytest.raises(ConfigError, match="shut down"):
        manager.startup()


def test_tools_accept_it_by_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "my_pool.py").write_text(
        "from parsl import Config\nfrom parsl.executors import ThreadPoolExecutor\n"
        "pools = [ThreadPoolExecutor(label=x, max_threads=3) for x in ('a', 'b')]\n"
        "config = Config(executors=pools, usage_tracking=0)\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    register()
    register()
    chosen = WMEnvironment()
    parser = argparse.ArgumentParser()
    chosen.add_wm_args(parser)
    words = ["--work-manager", "parsl", "--parsl-config", "my_pool:config"]
    chosen.process_wm_args(parser.parse_args([*words, "--parsl-executor", "b"]))
    manager = chosen.make_work_manager()
    assert (manager.executor, manager.n_workers) == ("b", 3)
    for rest, fault in ((words, "no executor 'md'"), (words[:2], "WM_PARSL_CONFIG")):
        chosen.process_wm_args(parser.parse_args(rest))
        with pytest.raises(ConfigError, match=fault):
            chosen.make_work_manager()


def test_the_documented_example_runs_a_stock_system(tmp_path: Path) -> None:
    blocks = re.findall(r"```\w+\n# (\S+)\n(.*?)```", DOCUMENT.read_text(), re.DOTALL)
    assert [name for name, _ in blocks] == ["walk.py", "west.cfg", "run.py"]
    for name, text in blocks:
        (tmp_path / name).write_text(text)
    scripts = str(Path(sys.executable).parent)
    path = scripts + os.pathsep + os.environ["PATH"]
    done = subprocess.run(
        [sys.executable, "run.py"], cwd=tmp_path, text=True, capture_output=True,
        check=False, timeout=120, env=os.environ | {"PATH": path},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    with h5py.File(tmp_path / "west.h5", "r") as h5:
        assert h5.attrs["west_current_iteration"] == 6
        last = h5["iterations/iter_00000005"]
        assert len(last["seg_index"]) >= 8
        np.testing.assert_allclose(last["seg_index"]["weight"].sum(), 1.0, atol=1e-12)
        assert np.isfinite(last["pcoord"][:]).all()
        assert len(np.unique(last["pcoord"][:, -1])) == len(last["seg_index"])
