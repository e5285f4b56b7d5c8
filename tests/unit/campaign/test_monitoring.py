"""What is said of workers, blocks, hours and the end follows from what was noted."""

import json
import os
import time
from typing import Any

import psutil
import pytest
from rich.console import Console

from campaign.driver.pool_watcher import kind_of, stage_of
from campaign.layout.run_dir import RunDir
from campaign.ledger import Ledger
from campaign.telling.words import about
from campaign.watching.blocks import list_lost
from campaign.watching.display import status_view
from campaign.watching.forecast import forecast, seconds_left
from campaign.watching.hours import add_hours, read_shares
from campaign.watching.notes import append_event, events_file, write_now
from campaign.watching.pools import count_blocks, count_tries
from campaign.watching.sentences import say_pool, say_tries
from campaign.watching.status import StatusReader, read_status
from campaign.watching.tail import Tail
from campaign.watching.task_times import describe_tasks, quantile
from campaign.watching.timeline import Task

GPU_SITE = """
executors:
  gpu: {scheduler: slurm, gpus_per_node: 4, workers_per_gpu: 2, cores_per_worker: 8}
  cpu: {scheduler: slurm, cores_per_node: 16, cores_per_worker: 2}
roles: {md: gpu, train: gpu, analysis: cpu}
"""


def block(when: float, state: str, name: str = "0", workers: int = 0) -> dict[str, Any]:
    return {
        "time": when, "event": "block", "executor": "md", "block": name,
        "state": state, "workers": workers,
    }  # fmt: skip


def task(role: str, begin: float, end: float, ok: bool = True) -> Task:
    return Task("f", role, "sample", "h", 1, begin, end, ok)


def notes(*points: tuple[float, float], total: float = 100) -> list[dict[str, Any]]:
    return [{"at": at, "done": done, "total": total} for at, done in points]


@pytest.fixture
def busy(begun: RunDir) -> RunDir:
    """Return a run of which this process is the living driver."""
    paths = begun
    me = psutil.Process()
    driver = {"pid": me.pid, "host": os.uname().nodename, "created": me.create_time()}
    paths.driver.write_text(json.dumps(driver))
    paths.site.write_text(GPU_SITE)
    progress = paths.progress("sample")
    progress.parent.mkdir()
    body = {"done": 40, "total": 100, "unit": "iterations", "detail": "walker 3"}
    progress.write_text(json.dumps(body))
    now = time.time()
    for ago, done in ((60, 10), (40, 20), (20, 30), (0.5, 40)):
        append_event(
            paths, "progress", stage="sample", done=done, total=100, at=now - ago
        )
    append_event(
        paths, "block", executor="md", block="0", state="running", workers=8,
        job_id="17",
    )  # fmt: skip
    append_event(
        paths, "try_failed", task=3, app="propagate_block", role="md", stage="sample",
        kind="lost", again=True, error="ManagerLost",
    )  # fmt: skip
    paths.tasks.mkdir()
    line = {"app": "propagate_block", "role": "md", "stage": "sample", "host": "n1"}
    lines = [
        line | {"pid": 5, "started": now - 3600 + n, "ended": now - 3600 + n + s}
        for n, s in ((0, 2.0), (10, 4.0), (20, 6.0))
    ]
    text = "".join(json.dumps(x) + "\n" for x in lines)
    (paths.tasks / "n1-5.jsonl").write_text(text)
    write_now(paths, {
        "pools": [
            {"executor": "md", "roles": ["md", "train"], "workers": 8, "busy": 6,
             "waiting": 0, "given": 6,
             "blocks": [{"block": "0", "state": "running", "workers": 8},
                        {"block": "1", "state": "queued", "workers": 0}]},
        ],
        "running": [{"task": 4, "try": 0, "app": "propagate_block", "role": "md",
                     "stage": "sample", "since": now - 36.0}],
    })  # fmt: skip
    return paths


def test_a_growing_file_gives_each_line_once_and_waits_for_its_end(tmp_path) -> None:
    path, tail = tmp_path / "a.jsonl", Tail(tmp_path, "*.jsonl")
    path.write_text('{"n": 1}\n{"n": 2}\n{"n":')
    assert [x["n"] for x in tail.new_lines()] == [1, 2]
    with path.open("a") as out:
        out.write(' 3}\nno json\n{"n": 4}\n')
    assert [x["n"] for x in tail.new_lines()] == [3, 4]
    assert tail.new_lines() == []


def test_an_event_after_a_torn_line_is_whole(tmp_path) -> None:
    paths = RunDir(tmp_path)
    append_event(paths, "a")
    with events_file(paths).open("a") as out:
        out.write('{"event": "to')
    append_event(paths, "b")
    found = Tail(paths.monitoring, "events.jsonl").new_lines()
    assert [x["event"] for x in found] == ["a", "b"]


def test_blocks_of_a_driver_that_is_gone_have_ended_but_lost_ones_stay_lost() -> None:
    events = [block(11, "running"), block(12, "lost", "1"), block(101, "running")]
    alive = count_blocks(events, [10, 100], alive=True)
    assert alive == {"queued": 0, "running": 1, "lost": 1, "ended": 1}
    gone = count_blocks(events, [10, 100], alive=False)
    assert gone == {"queued": 0, "running": 0, "lost": 1, "ended": 2}
    assert count_blocks([], [10], alive=True) is None


def test_a_lost_block_is_told_once_and_one_of_its_name_in_a_later_start_too() -> None:
    events = [
        block(11, "running", workers=2), block(12, "lost", workers=2),
        block(13, "lost"),
        block(101, "running", workers=2), block(102, "lost"),
    ]  # fmt: skip
    assert [b["time"] for b in list_lost(events, [(10, 20), (100, 120)])] == [12, 102]


def test_a_try_that_was_the_last_counts_as_given_up() -> None:
    events = [
        {"event": "try_failed", "stage": "sample", "kind": kind, "again": again}
        for kind, again in (
            ("lost", True), ("lost", True), ("error", False), ("continued", True),
        )
    ]  # fmt: skip
    found = count_tries(events, noted=True)
    assert found is not None
    assert found["all"] == {"lost": 2, "continued": 1, "error": 0, "failed": 1}
    assert found["sample"] == found["all"]
    assert say_tries(found["all"]) == (
        "2 tasks lost their workers and were tried again; 1 time continued from a "
        "checkpoint; 1 task given up"
    )
    assert count_tries([], noted=False) is None


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        ("ManagerLost(b'26a0', 'node7')", "lost"),
        ("WorkerLost(1, 'node7')", "lost"),
        ("KilledError('The training was killed')", "lost"),
        ("LeftUnfinishedError('The training left')", "continued"),
        ("CommandError('The training ended with exit status 1')", "error"),
        ("ValueError('ManagerLost')", "error"),
    ],
)
def test_failed_tries_are_told_apart_by_what_parsl_says(error, kind) -> None:
    assert kind_of(error) == kind


def test_the_real_errors_read_as_their_kind() -> None:
    from parsl.executors.high_throughput.errors import ManagerLost, WorkerLost

    from apps.science.errors import CommandError, KilledError, LeftUnfinishedError

    assert kind_of(repr(ManagerLost(b"26a0", "node7"))) == "lost"
    assert kind_of(repr(WorkerLost(1, "node7"))) == "lost"
    assert kind_of(repr(KilledError("x"))) == "lost"
    assert kind_of(repr(LeftUnfinishedError("x"))) == "continued"
    assert kind_of(repr(CommandError("x"))) == "error"


def test_the_stage_of_a_task_is_found_by_name_place_or_default() -> None:
    def app(config: str, stage: str = "sample") -> None: ...

    def record(*args: str, **kwargs: str) -> dict[str, Any]:
        return {"func": app, "args": args, "kwargs": kwargs}

    assert stage_of(record("x")) == "sample"
    assert stage_of(record("x", "train")) == "train"
    assert stage_of(record("x", stage="train")) == "train"
    assert stage_of({"func": len, "args": (1, 2, 3), "kwargs": {}}) == ""


def test_the_stage_of_a_training_is_found() -> None:
    from apps.train import train_model

    record = {
        "func": train_model.func,
        "args": ("c.yaml", 1, "train.log"),
        "kwargs": {"stage": "train_weighted"},
    }
    assert stage_of(record) == "train_weighted"


def test_gpu_hours_count_the_share_of_a_gpu_that_a_worker_has(tmp_path) -> None:
    (tmp_path / "site.yaml").write_text(GPU_SITE)
    shares = read_shares(tmp_path / "site.yaml")
    assert shares is not None
    tasks = [task("md", 0, 3600), task("analysis", 0, 1800)]
    running = [{"role": "train", "since": 1800.0}]
    events = [block(0, "running", workers=2), block(3600, "ended")]
    found = add_hours(shares, tasks, running, events, [(0, 7200)], now=3600)
    assert found["core"] == pytest.approx(8 + 0.5 * 2 + 0.5 * 8)
    assert found["gpu"] == pytest.approx(0.5 + 0.25)
    assert found["core_held"] == pytest.approx(2 * 8)
    assert found["gpu_held"] == pytest.approx(2 * 0.5)


def test_a_block_is_held_until_its_driver_is_gone(tmp_path) -> None:
    (tmp_path / "site.yaml").write_text(GPU_SITE)
    shares = read_shares(tmp_path / "site.yaml")
    assert shares is not None
    events = [block(0, "running", workers=1), block(5000, "running", workers=1)]
    starts = [(0, 3600), (5000, 6800)]
    found = add_hours(shares, [], [], events, starts, now=6800)
    assert found["core_held"] == pytest.approx(8 * 1.5)


def test_a_site_that_keeps_its_workers_to_itself_has_no_hours(tmp_path) -> None:
    (tmp_path / "site.yaml").write_text("name: mine\npython: site.py\n")
    assert read_shares(tmp_path / "site.yaml") is None
    assert read_shares(tmp_path / "missing.yaml") is None


def test_a_steady_stage_is_foreseen_exactly() -> None:
    seen = notes((0, 0), (10, 10), (20, 20), (30, 30), (40, 40))
    assert seconds_left(seen, 40) == pytest.approx(60)
    assert seconds_left(seen, 50) == pytest.approx(50)


def test_the_rate_of_late_counts_not_that_of_the_beginning() -> None:
    slow_start = notes(
        (0, 0), (100, 1), (200, 2), (300, 3), (310, 13), (320, 23), (330, 33), (340, 43)
    )
    assert seconds_left(slow_start, 340) == pytest.approx(57, rel=0.2)


@pytest.mark.parametrize(
    "points",
    [
        [],
        [(0, 1), (30, 2)],  # two points
        [(0, 1), (1, 2), (2, 3)],  # too short a time
        [(0, 5), (30, 5), (60, 5)],  # it stands still
        [(0, 0), (10, 0.1), (20, 0.2)],  # hours ahead, seconds seen
    ],
)
def test_without_ground_nothing_is_foreseen(points) -> None:
    assert seconds_left(notes(*points), 60) is None


def stages(**states: str) -> list[dict[str, Any]]:
    return [
        {"name": n, "kind": n.split("_")[0], "at_once": n == "report", "state": s,
         "seconds": 90.0 if s == "done" else None, "started": 0}
        for n, s in states.items()
    ]  # fmt: skip


def test_the_end_is_foreseen_once_every_long_stage_has_a_twin() -> None:
    ahead = stages(benchmark_a="running", benchmark_b="waiting", report="waiting")
    found = forecast(ahead, {"benchmark_a": 30.0}, now=60.0)
    assert found == {"left_s": 30.0 + 90.0, "uncounted": ["report"]}
    unknown = stages(sample="running", prior="waiting", report="waiting")
    assert forecast(unknown, {"sample": 30.0}, now=60.0) is None
    assert forecast(ahead, {"benchmark_a": None}, now=60.0) is None


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(2, "5 s"), (42, "40 s"), (58, "1 min"), (720, "12 min"), (3000, "50 min"),
     (9000, "2.5 h"), (100_000, "28 h"), (400_000, "4.6 days")],
)  # fmt: skip
def test_a_forecast_is_as_round_as_it_is_sure(seconds, said) -> None:
    assert about(seconds) == said


def test_quantiles_lie_between_neighbours() -> None:
    assert quantile([1.0, 2.0, 3.0, 4.0], 0.5) == 2.5
    assert quantile([7.0], 0.95) == 7.0
    assert quantile([], 0.5) is None


def test_failed_tasks_count_and_do_not_bend_the_median() -> None:
    tasks = [task("md", 0, 2), task("md", 5, 9), task("md", 9, 100, ok=False)]
    found = describe_tasks(tasks, [])["sample"]
    assert (found["n"], found["failed"], found["median_s"]) == (2, 1, 3.0)


def test_an_executor_that_tells_nothing_is_said_to() -> None:
    pool = {"workers": None, "busy": None, "waiting": None, "given": 3}
    assert "3 tasks given" in say_pool(pool)


def test_the_status_of_a_living_run(busy) -> None:
    status = read_status(busy.root)
    json.dumps(status)
    assert status["state"] == "running"
    (pool,) = status["pools"]
    assert (pool["workers"], pool["busy"], pool["idle"]) == (8, 6, 2)
    assert pool["blocks"] == {"queued": 1, "running": 1, "lost": 0, "ended": 0}
    assert status["blocks"]["running"] == 1
    assert status["failed_tries"]["lost"] == 1
    sample = status["stages"][1]
    assert sample["tasks"]["median_s"] == pytest.approx(4.0)
    assert sample["left_s"] == pytest.approx(118, rel=0.02)
    assert status["forecast"]["uncounted"] == ["report"]
    assert status["hours"]["core"] == pytest.approx((12 + 36) * 8 / 3600, rel=0.02)


def test_a_second_look_reads_only_what_is_new(busy) -> None:
    paths = busy
    reader = StatusReader(paths.root)
    assert reader.read()["stages"][1]["tasks"]["n"] == 3
    line = {"app": "f", "role": "md", "stage": "sample", "host": "n1", "pid": 6}
    text = json.dumps(line | {"started": 1.0, "ended": 2.0})
    (paths.tasks / "n1-6.jsonl").write_text(text + "\n")
    assert reader.read()["stages"][1]["tasks"]["n"] == 4
    assert reader.history.tasks[0].started == 1.0


def test_what_the_driver_said_long_ago_says_nothing_of_now(busy) -> None:
    paths = busy
    found = json.loads((paths.monitoring / "now.json").read_text())
    text = json.dumps(found | {"time": time.time() - 600})
    (paths.monitoring / "now.json").write_text(text)
    assert read_status(paths.root)["pools"] is None


def test_a_run_without_notes_has_a_status_that_says_so(tmp_path) -> None:
    paths = RunDir(tmp_path)
    Ledger(paths.ledger).append("run_started", stages=["sample"])
    status = read_status(tmp_path)
    for name in ("pools", "blocks", "failed_tries", "hours", "forecast"):
        assert status[name] is None


@pytest.mark.parametrize("width", [80, 120])
def test_the_table_fits_the_terminal(busy, width) -> None:
    status = read_status(busy.root)
    console = Console(width=width, record=True)
    console.print(status_view(status, width))
    shown = console.export_text()
    assert max(map(len, shown.splitlines())) <= width
    assert "40/100 iterations" in shown
    assert "6 of 8 workers busy" in shown
    assert ("median" in shown) == (width == 120)


def test_two_hundred_thousand_tasks_are_read_in_seconds(busy) -> None:
    paths = busy
    line = {"app": "f", "role": "md", "stage": "sample", "host": "n", "ok": True}
    for pid in range(20):
        text = "".join(
            json.dumps(line | {"pid": pid, "started": n, "ended": n + 0.9}) + "\n"
            for n in range(10_000)
        )
        (paths.tasks / f"n-{pid}.jsonl").write_text(text)
    reader = StatusReader(paths.root)
    reader.read()
    began = time.process_time()
    assert reader.read()["stages"][1]["tasks"]["n"] == 200_003
    assert time.process_time() - began < 4.0
