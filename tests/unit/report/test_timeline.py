import json
from pathlib import Path

import pytest

from campaign.watching.timeline import (
    Task,
    idle_by_stage,
    merge,
    orchestration_share,
    read_starts,
    read_tasks,
)


def write_lines(path: Path, lines: list[dict[str, object]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))


def task_line(
    begin: float, end: float, pid: int = 1, stage: str = "a"
) -> dict[str, object]:
    return {
        "app": "f", "role": "md", "stage": stage, "host": "h", "pid": pid,
        "started": begin, "ended": end, "ok": True,
    }  # fmt: skip


def test_time_covered_by_two_workers_at_once_counts_once(tmp_path: Path) -> None:
    ledger = [
        {"time": 0.0, "event": "run_started", "stage": None},
        {"time": 100.0, "event": "run_ended", "stage": None},
    ]
    write_lines(tmp_path / "ledger.jsonl", ledger)
    write_lines(tmp_path / "tasks" / "h-1.jsonl", [task_line(10, 50)])
    write_lines(tmp_path / "tasks" / "h-2.jsonl", [task_line(30, 80, pid=2)])
    assert orchestration_share(tmp_path) == pytest.approx(0.3)


def test_a_killed_start_ends_with_what_was_noted_last_and_pauses_do_not_count(
    tmp_path: Path,
) -> None:
    ledger = [
        {"time": 0.0, "event": "run_started"},
        {"time": 5.0, "event": "started", "stage": "a"},
        {"time": 1000.0, "event": "run_started"},
        {"time": 1010.0, "event": "run_ended"},
    ]
    write_lines(tmp_path / "ledger.jsonl", ledger)
    lines = [task_line(5, 20), task_line(1000, 1010)]
    write_lines(tmp_path / "tasks" / "h-1.jsonl", lines)
    assert read_starts(tmp_path) == [(0.0, 20.0), (1000.0, 1010.0)]
    assert orchestration_share(tmp_path) == pytest.approx(5 / 30)


def test_now_extends_a_living_driver(tmp_path: Path) -> None:
    write_lines(tmp_path / "ledger.jsonl", [{"time": 0.0, "event": "run_started"}])
    write_lines(tmp_path / "tasks" / "h-1.jsonl", [task_line(0, 10)])
    assert orchestration_share(tmp_path) == pytest.approx(0.0)
    assert orchestration_share(tmp_path, now=40.0) == pytest.approx(0.75)


def test_nothing_started_has_no_share(tmp_path: Path) -> None:
    assert orchestration_share(tmp_path) is None


def test_torn_lines_are_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "tasks" / "h-1.jsonl"
    write_lines(path, [task_line(0, 1)])
    with path.open("a") as out:
        out.write('{"app": "f", "role": "m')
    assert [t.ended for t in read_tasks(tmp_path)] == [1.0]


def test_a_worker_busy_with_another_stage_is_not_idle() -> None:
    def task(stage: str, pid: int, begin: float, end: float) -> Task:
        return Task("f", "md", stage, "h", pid, begin, end, True)

    tasks = [
        task("sample", 1, 0, 10), task("sample", 2, 0, 4), task("ingest", 2, 4, 9),
    ]  # fmt: skip
    sample, ingest = idle_by_stage(tasks)
    assert sample.idle_share == pytest.approx(1 / 20)
    assert sample.busy_seconds == {"h:1": 10.0, "h:2": 4.0}
    assert ingest.idle_share == pytest.approx(0.0)


def test_idle_share_leaves_out_the_pause_between_two_starts() -> None:
    tasks = [
        Task("f", "md", "sample", "h", 1, 0.0, 10.0, True),
        Task("f", "md", "sample", "h", 2, 1000.0, 1010.0, True),
    ]
    (stage,) = idle_by_stage(tasks, [(0.0, 10.0), (1000.0, 1010.0)])
    assert stage.seconds == pytest.approx(20.0)
    assert stage.idle_share == pytest.approx(0.0)


def test_merge_joins_what_touches() -> None:
    assert merge([(3, 4), (0, 1), (1, 2), (5, 5)]) == [(0, 2), (3, 4)]
