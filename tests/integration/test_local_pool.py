"""The local site under a real Parsl: roles share a pool, and lost workers come back."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import parsl
import psutil
import pytest
from parsl.dataflow.dflow import DataFlowKernel

import apps
from site_configs.build import build_config
from site_configs.load import load_site
from site_configs.schema import Site

TAG = "WEFT_TEST_TAG"
# tasks defined in this file are unpickled by reference to it
IMPORTS = {"PYTHONPATH": str(Path(__file__).parents[2])}


def _tagged(value: str) -> list[psutil.Process]:
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get(TAG) == value:
                found.append(process)
        except (psutil.Error, OSError):
            continue
    return found


def _wait_until(condition: Callable[[], bool], seconds: float) -> bool:
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.1)
    return condition()


@pytest.fixture(scope="module")
def tag(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(tmp_path_factory.mktemp("tag"))


@pytest.fixture(scope="module")
def kernel(
    tmp_path_factory: pytest.TempPathFactory, tag: str
) -> Iterator[DataFlowKernel]:
    config = build_config(
        load_site("local"),
        tmp_path_factory.mktemp("run") / "parsl",
        environment={TAG: tag} | IMPORTS,
        roles=["md", "train", "analysis", "inference"],
    )
    with DataFlowKernel(config) as loaded:
        yield loaded
    assert _wait_until(lambda: not _tagged(tag), 15), "processes were left behind"


def _submit(kernel: DataFlowKernel, role: str, task: Callable[..., Any], *args: Any):
    return parsl.python_app(task, data_flow_kernel=kernel, executors=[role])(*args)


def test_every_role_runs_on_the_one_pool(kernel: DataFlowKernel, tag: str) -> None:
    def where() -> dict[str, str | None]:
        import os

        names = ("PARSL_WORKER_POOL_ID", "PARSL_WORKER_COUNT", "WEFT_TEST_TAG")
        return {n: os.environ.get(n) for n in (*names, "OMP_NUM_THREADS")}

    roles = ("md", "train", "analysis", "inference")
    places = [_submit(kernel, role, where).result(60) for role in roles]
    assert len({place["PARSL_WORKER_POOL_ID"] for place in places}) == 1
    assert places[0][TAG] == tag
    assert places[0]["OMP_NUM_THREADS"] == "1"
    assert int(places[0]["PARSL_WORKER_COUNT"] or 0) <= (os.cpu_count() or 1)


def test_an_alias_raises_what_the_task_raised(kernel: DataFlowKernel) -> None:
    def fail(runs: str) -> None:
        with open(runs, "a") as log:  # noqa: PTH123
            log.write("run\n")
        raise ValueError("a permanent error")

    runs = Path(kernel.run_dir) / "runs.txt"
    with pytest.raises(ValueError, match="a permanent error"):
        _submit(kernel, "train", fail, str(runs)).result(60)
    assert runs.read_text().splitlines() == ["run"]


def test_a_killed_worker_is_replaced_and_its_task_runs_again(
    kernel: DataFlowKernel,
) -> None:
    def die_once(marker: str) -> str:
        import os
        import pathlib
        import signal

        if not pathlib.Path(marker).exists():
            pathlib.Path(marker).touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return "done"

    marker = str(Path(kernel.run_dir) / "died")
    assert _submit(kernel, "md", die_once, marker).result(60) == "done"


def test_a_killed_pool_is_replaced_and_its_task_runs_again(
    tmp_path: Path, pool_environment: dict[str, str]
) -> None:
    def kill_pool_once(marker: str) -> str:
        import os
        import pathlib
        import signal
        import time

        if not pathlib.Path(marker).exists():
            pathlib.Path(marker).touch()
            os.kill(os.getppid(), signal.SIGKILL)
            time.sleep(60)
        return "done"

    pool = {"workers_per_node": 1, "heartbeat_seconds": 1}
    site = Site.model_validate({"name": "here", "executors": {"pool": pool}})
    environment = IMPORTS | pool_environment
    config = build_config(site, tmp_path / "parsl", environment, roles=["md"])
    with DataFlowKernel(config) as kernel:
        future = _submit(kernel, "md", kill_pool_once, str(tmp_path / "died"))
        assert future.result(90) == "done"


def test_a_task_that_takes_all_memory_is_told_which_key_to_raise(
    tmp_path: Path, pool_environment: dict[str, str], odd_folder: str
) -> None:
    def be_killed() -> None:
        import os
        import signal

        os.kill(os.getpid(), signal.SIGKILL)  # as the kernel does

    pool = {"workers_per_node": 1, "heartbeat_seconds": 1}
    site = Site.model_validate(
        {"name": "here", "executors": {"pool": pool}, "retries": {"lost_workers": 0}}
    )
    environment = IMPORTS | pool_environment
    run_dir = tmp_path / odd_folder / "parsl"
    with DataFlowKernel(build_config(site, run_dir, environment, ["md"])) as kernel:
        said = str(_submit(kernel, "md", be_killed).exception(90))
    assert "it was killed (SIGKILL), as the system does where memory runs out" in said
    assert "workers_per_node" in said
    assert [path.name for path in tmp_path.iterdir()] == [odd_folder]


def test_a_pool_that_cannot_start_is_an_error_and_not_a_hang(tmp_path: Path) -> None:
    pool = {"worker_init": "echo no such module >&2; exit 3"}
    site = Site.model_validate({"name": "here", "executors": {"pool": pool}})
    config = build_config(site, tmp_path / "parsl", IMPORTS, roles=["md"])
    with DataFlowKernel(config) as kernel:
        error = _submit(kernel, "md", lambda: 1).exception(60)
    assert "no such module" in str(error)


ONE_TASK = """
import pathlib, sys, parsl
from site_configs.build import build_config
from site_configs.load import load_site
with parsl.load(build_config(load_site("local"), pathlib.Path("parsl"))):
    where = parsl.python_app(lambda: __import__("sys").executable, executors=["md"])
    assert where().result(120) == sys.executable, where().result()
"""


def test_weft_may_be_installed_in_a_folder_of_any_name(
    tmp_path: Path, odd_folder: str
) -> None:
    installed = tmp_path / odd_folder / "venv"
    (installed / "bin").mkdir(parents=True)
    (installed / "bin" / "python").symlink_to(Path(sys.executable).resolve())
    ours = Path(sys.prefix)
    (installed / "pyvenv.cfg").write_text((ours / "pyvenv.cfg").read_text())
    (installed / "lib").symlink_to(ours / "lib")
    done = subprocess.run(
        [installed / "bin" / "python", "-c", ONE_TASK], cwd=tmp_path / odd_folder,
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert [path.name for path in tmp_path.iterdir()] == [odd_folder]


AMONG_OTHERS = """
import pathlib, parsl
from site_configs.build import build_config
from site_configs.load import load_site
def look():
    import subprocess, sys, apps
    child = [sys.executable, "-c", "import apps.science; print(apps.__file__)"]
    done = subprocess.run(child, capture_output=True, text=True, check=True)
    return apps.__file__, done.stdout.strip()
with parsl.load(build_config(load_site("local"), pathlib.Path("parsl"))):
    print(*parsl.python_app(look, executors=["md"])().result(120), sep="\\n")
"""


def test_workers_and_what_they_start_import_nothing_of_the_folder_they_run_in(
    other_project: Path,
) -> None:
    plain = [sys.executable, "-c", "import apps"]
    known = os.environ | IMPORTS
    done = subprocess.run(
        plain, cwd=other_project, env=known, check=False, capture_output=True, text=True
    )
    assert "of another project" in done.stderr
    done = subprocess.run(
        [sys.executable, "-P", "-c", AMONG_OTHERS], cwd=other_project, env=known,
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == [apps.__file__] * 2


DRIVER = """
import os, pathlib, signal, sys, time, parsl
from site_configs.build import build_config
from site_configs.load import load_site
run, tag = sys.argv[1:]
config = build_config(load_site("local"), pathlib.Path(run), {"WEFT_TEST_TAG": tag})
kernel = parsl.load(config)
print(kernel.executors["md"].interchange_proc.pid, flush=True)
parsl.python_app(lambda: 1, executors=["md"])().result(60)
parsl.python_app(lambda: __import__("time").sleep(300), executors=["md"])()
time.sleep(1)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_interchange_ends_soon_after_a_killed_driver(tmp_path: Path) -> None:
    tag = str(tmp_path)
    driver = [sys.executable, "-c", DRIVER, str(tmp_path / "parsl"), tag]
    output = subprocess.run(driver, stdout=subprocess.PIPE, text=True, check=False)
    interchange = int(output.stdout)
    try:
        assert _wait_until(lambda: not psutil.pid_exists(interchange), 10)
    finally:
        for process in _tagged(
            tag
        ):  # a pool follows after 6 heartbeats; not waited for
            process.kill()


@pytest.mark.parametrize("moment", range(2))
def test_a_worker_killed_between_tasks_does_not_hang_the_pool(
    kernel: DataFlowKernel, moment: int
) -> None:
    def who() -> int:
        import os
        import time

        time.sleep(0.2)  # so that every worker gets one
        return os.getpid()

    time.sleep(4)  # a pool that the last test wounded has left by then
    # whichever of the idle workers waits holds the lock of their queue
    first = [_submit(kernel, "md", who) for _ in range(4)]
    pids = sorted({future.result(120) for future in first})
    time.sleep(0.3)
    os.kill(pids[moment % len(pids)], signal.SIGKILL)
    again = [_submit(kernel, "md", who) for _ in range(4)]
    assert pids[moment % len(pids)] not in {f.result(120) for f in again}
