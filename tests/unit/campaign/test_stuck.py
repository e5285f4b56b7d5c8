"""What stood still is told in sentences, the latest of each, of this start."""

from campaign.layout.run_dir import RunDir
from campaign.ledger import Ledger
from campaign.watching.notes import append_event
from campaign.watching.page.page import Page
from campaign.watching.status import StatusReader
from campaign.watching.stuck import list_stuck, say_stuck


def worker(when: float, pid: int, over: bool = False) -> dict[str, object]:
    return {
        "event": "worker_stuck", "time": when, "host": "n1", "pid": pid,
        "why": "is stopped", "seconds": 60.0 if over else 30.0, "over": over,
    }  # fmt: skip


def test_a_worker_is_named_first_and_then_ended() -> None:
    assert say_stuck(worker(1, 17)) == (
        "worker 17 on n1 is stopped, for 30 s now; it is ended if that goes on for as "
        "long again"
    )
    assert say_stuck(worker(1, 17, over=True)) == (
        "worker 17 on n1 is stopped, for 1 min now: it was ended, and its task is "
        "given to another"
    )


def test_pools_and_blocks_are_named() -> None:
    block = {"event": "block_stuck", "executor": "md", "block": "2", "job_id": "33"}
    assert "block 2 (job 33) of executor md still runs" in say_stuck(block)
    pool = {"event": "pool_left", "host": "n1", "why": "its thread x ended"}
    assert "on n1 has ended, since its thread x ended" in say_stuck(pool)


def test_the_latest_of_each_is_listed_and_none_of_an_earlier_start() -> None:
    events = [worker(5, 1), worker(11, 2), worker(12, 3), worker(13, 2, over=True)]
    said = list_stuck(events, [10.0])
    assert ["worker 3" in said[0], "worker 2" in said[1]] == [True, True]
    assert "it was ended" in said[1]
    assert len(said) == 2


def test_status_and_page_tell_it(begun: RunDir, monkeypatch) -> None:
    monkeypatch.setattr("campaign.watching.status.driver_alive", lambda paths: True)
    begun.resolved.touch()
    begun.site.write_text("executors: {pool: {scheduler: local}}\n")
    Ledger(begun.ledger).append("run_started", stages=["prepare", "sample", "report"])
    noted = {k: v for k, v in worker(0, 17).items() if k not in ("event", "time")}
    append_event(begun, "worker_stuck", **noted)
    [said] = StatusReader(begun.root).read()["stood_still"]
    assert "worker 17 on n1 is stopped" in said
    assert "worker 17 on n1 is stopped" in Page(begun.root).json("all")
