"""Parsl's real pools are noted as they are, and a finished campaign can be watched."""

import json
import re
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

import parsl
from parsl.dataflow.dflow import DataFlowKernel

from campaign.driver.pool_watcher import watching_pools
from campaign.layout.run_dir import RunDir
from campaign.watching.notes import events_file, now_file
from site_configs.build import build_config
from site_configs.schema import Site

WEFT = Path(sys.executable).with_name("weft")
IMPORTS = {"PYTHONPATH": str(Path(__file__).parents[2])}


def read_events(paths: RunDir) -> list[dict[str, Any]]:
    return [json.loads(line) for line in events_file(paths).read_text().splitlines()]


def read_busy(paths: RunDir) -> list[tuple[int, int, int]]:
    pools = json.loads(now_file(paths).read_text())["pools"]
    return [(p["workers"], p["busy"], p["waiting"]) for p in pools]


def test_workers_blocks_and_failed_tries_are_noted(
    tmp_path: Path, pool_environment: dict[str, str]
) -> None:
    def nap(seconds: float, stage: str = "sample") -> None:
        import time

        time.sleep(seconds)

    def fail(stage: str = "train") -> None:
        raise ValueError("a permanent error")

    def kill_pool_once(marker: str, stage: str = "sample") -> None:
        import os
        import pathlib
        import signal
        import time

        if not pathlib.Path(marker).exists():
            pathlib.Path(marker).touch()
            os.kill(os.getppid(), signal.SIGKILL)
            time.sleep(60)

    paths = RunDir(tmp_path)
    pool = {"workers_per_node": 2, "heartbeat_seconds": 1}
    site = Site.model_validate({"name": "here", "executors": {"pool": pool}})
    environment = IMPORTS | pool_environment
    config = build_config(site, paths.parsl, environment, roles=["md", "train"])
    with DataFlowKernel(config) as kernel, watching_pools(kernel, paths):

        def submit(role: str, task: Any, *args: Any) -> Any:
            app = parsl.python_app(task, data_flow_kernel=kernel, executors=[role])
            return app(*args)

        naps = [submit("md", nap, 6.0) for _ in range(3)]
        end = time.monotonic() + 60
        while not (now_file(paths).exists() and read_busy(paths) == [(2, 2, 1)]):
            assert time.monotonic() < end, now_file(paths).read_text()
            time.sleep(0.1)
        now = json.loads(now_file(paths).read_text())
        assert now["pools"][0]["roles"] == ["md", "train"]
        told = {(t["app"], t["role"], t["stage"]) for t in now["running"]}
        assert told == {("nap", "md", "sample")}
        error = submit("train", fail).exception()
        assert isinstance(error, ValueError)
        for future in naps:
            future.result()
        submit("md", kill_pool_once, str(tmp_path / "died")).result(90)
        time.sleep(6.0)  # Parsl asks for the state of local blocks every 5 s
    events = read_events(paths)
    tries = [e for e in events if e["event"] == "try_failed"]
    assert [(t["kind"], t["stage"], t["again"]) for t in tries] == [
        ("error", "train", False),
        ("lost", "sample", True),
    ]
    states: dict[str, list[str]] = {}
    for event in (e for e in events if e["event"] == "block"):
        states.setdefault(event["block"], []).append(event["state"])
    assert "lost" in states["0"], events
    assert states["1"][-1] == "ended"
    assert json.loads(now_file(paths).read_text())["pools"] == []


def test_a_finished_campaign_tells_where_its_time_went(uninterrupted: Path) -> None:
    done = subprocess.run(
        [WEFT, "status", uninterrupted, "--json"], capture_output=True, text=True,
        check=True,
    )  # fmt: skip
    status = json.loads(done.stdout)
    assert status["pools"] is None
    assert status["blocks"] == {"queued": 0, "running": 0, "lost": 0, "ended": 1}
    assert not any(status["failed_tries"].values())
    hours = status["hours"]
    assert 0 < hours["core"] <= hours["core_held"] < 1
    by_name = {s["name"]: s for s in status["stages"]}
    assert by_name["sample"]["tasks"]["n"] >= 20
    assert by_name["train_weighted"]["tasks"]["n"] == 1


def test_the_page_of_a_campaign_is_served_until_ctrl_c(uninterrupted: Path) -> None:
    page = subprocess.Popen(
        [WEFT, "watch", uninterrupted, "--port", "0"], stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True, env={"PYTHONUNBUFFERED": "1"},
    )  # fmt: skip
    try:
        assert page.stdout is not None
        line = page.stdout.readline()
        url = re.search(r"http://127\.0\.0\.1:(\d+)/", line)
        assert url, line
        with urllib.request.urlopen(url[0], timeout=20) as answer:
            text = answer.read().decode()
        assert "alanine_dipeptide" in text
        assert "propagate block" in text
        taken = subprocess.run(
            [WEFT, "watch", uninterrupted, "--port", url[1]], capture_output=True,
            text=True, check=False,
        )  # fmt: skip
        assert taken.returncode == 2
        assert f"Port {url[1]} of this computer is taken" in taken.stderr
        page.send_signal(signal.SIGINT)
        assert page.wait(10) == 0
    finally:
        page.kill()
