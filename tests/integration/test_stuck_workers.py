"""Stopped and hung workers and pools are named, and their tasks end on others."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import parsl
import pytest
from parsl.dataflow.dflow import DataFlowKernel

from campaign.driver.pool_watcher import watching_pools
from campaign.layout.run_dir import RunDir
from campaign.watching.notes import events_file
from campaign.watching.stuck import list_stuck
from site_configs.build import build_config
from site_configs.schema import Site

# tasks defined in this file are unpickled by reference to it
IMPORTS = {"PYTHONPATH": str(Path(__file__).parents[2])}
POOL = {"workers_per_node": 1, "heartbeat_seconds": 1, "hung_task_minutes": 0.05}


@pytest.fixture(scope="module")
def paths(tmp_path_factory: pytest.TempPathFactory) -> RunDir:
    return RunDir(tmp_path_factory.mktemp("run"))


@pytest.fixture(scope="module")
def kernel(paths: RunDir) -> Iterator[DataFlowKernel]:
    site = Site.model_validate({"name": "here", "executors": {"pool": POOL}})
    variables = IMPORTS | {"WEFT_RUN_DIR": str(paths.root)}
    config = build_config(site, paths.parsl, variables, roles=["md"])
    with DataFlowKernel(config) as loaded, watching_pools(loaded, paths):
        yield loaded


def run(kernel: DataFlowKernel, task: Callable[..., Any], *args: Any) -> Any:
    app = parsl.python_app(task, data_flow_kernel=kernel, executors=["md"])
    return app(*args).result(120)


def read_events(paths: RunDir, kind: str) -> list[dict[str, Any]]:
    lines = events_file(paths).read_text().splitlines()
    return [e for e in map(json.loads, lines) if e["event"] == kind]


def stop_once(marker: str, whom: str) -> str:
    """Stop this worker, its pool or the pool's dictionary, or wait; then be done."""
    import os
    import pathlib
    import signal
    import time

    import psutil

    if pathlib.Path(marker).exists():
        return "done"
    pathlib.Path(marker).touch()
    pool = psutil.Process(os.getppid())
    if whom == "worker":
        os.kill(os.getpid(), signal.SIGSTOP)
    elif whom == "pool":
        pool.send_signal(signal.SIGSTOP)
    elif whom == "SyncManager":
        for one in pool.children():
            line = " ".join(one.cmdline())
            if one.pid != os.getpid() and "resource_tracker" not in line:
                one.kill()
    time.sleep(90)
    return "not tried again"


@pytest.mark.slow
@pytest.mark.parametrize("whom", ["worker", "nobody", "SyncManager", "pool"])
def test_a_task_of_a_stuck_worker_ends_on_another(kernel, paths, whom: str) -> None:
    assert (
        run(kernel, stop_once, str(paths.root / f"{whom} was stopped"), whom) == "done"
    )


@pytest.mark.slow
def test_what_stood_still_is_named(kernel, paths) -> None:
    workers = read_events(paths, "worker_stuck")
    ended = {e["why"] for e in workers if e["over"]}
    assert ended == {"is stopped", "neither computes nor reads nor writes"}
    left = read_events(paths, "pool_left")
    assert "its process SyncManager ended" in [e["why"] for e in left]
    blocks = read_events(paths, "block_stuck")
    assert blocks
    said = list_stuck([*workers, *left, *blocks], [0.0])
    assert "its tasks are given to others" in said[-1]
