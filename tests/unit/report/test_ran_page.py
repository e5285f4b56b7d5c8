"""The part "how it ran": what it tells of hours, blocks and tries is what was noted."""

import json
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from campaign.layout.run_dir import RunDir
from campaign.report.kit.blocks import Cell, Fold, Gallery, Note, Section, Table
from campaign.report.kit.canvas import Canvas
from campaign.report.kit.sources import RunSource
from campaign.report.parts.run.page_ran import how_it_ran, run_facts
from campaign.report.parts.run.ran_account import RunAccount
from campaign.report.parts.run.ran_tables import stage_table
from campaign.watching.blocks import list_blocks
from campaign.watching.pools import count_blocks, count_tries
from campaign.watching.status import read_status


@pytest.fixture(scope="module")
def cluster(synthetic: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run on 25 blocks of eight GPUs, of which four are lost and replaced."""
    root = tmp_path_factory.mktemp("cluster") / "big"
    return Path(synthetic.cluster.write_cluster_run(root, 25, 20.0, 30))


@pytest.fixture(scope="module")
def drawn(cluster: Path) -> Section:
    """Its part of the page, with the figures in its folder."""
    return how_it_ran(RunSource(RunDir(cluster)), Canvas(cluster / "figures"))


def account_of(root: Path) -> RunAccount:
    return RunAccount(RunSource(RunDir(root)))


def texts(row: list[Cell]) -> list[str]:
    return [cell.text for cell in row]


@pytest.mark.usefixtures("drawn")
def test_busy_workers_add_up_to_the_time_of_the_tasks(cluster: Path) -> None:
    body = json.loads((cluster / "figures" / "workers_busy.json").read_text())
    width = np.diff(body["edges_s"])
    account = account_of(cluster)
    for stage, tasks in account.tasks.items():
        drawn = sum(
            float(np.array(body[p.name][stage]) @ width)
            for p in account.pools
            if stage in p.busy
        )
        assert drawn == pytest.approx(sum(t.ended - t.started for t in tasks), rel=1e-5)
    for pool in account.pools:
        busy = sum(np.array(body[pool.name][stage]) for stage in pool.busy)
        assert (busy <= np.array(body[pool.name]["there"]) + 1e-6).all()


def test_the_tables_agree_with_the_status(cluster: Path) -> None:
    status, account = read_status(cluster), account_of(cluster)
    told = dict(run_facts(account))
    assert told["Blocks of workers"].startswith("30 asked for, 30 ran, 4 lost")
    assert sum(status["blocks"].values()) == len(account.blocks) == 30
    assert account.tries is not None
    assert account.tries["all"] == status["failed_tries"]
    assert account.hours == pytest.approx(status["hours"])
    for kind in ("core", "gpu"):
        parts = sum(hours[kind] or 0.0 for hours in account.hours_of_stage.values())
        assert parts == pytest.approx(status["hours"][kind])
        parts = sum(h[f"{kind}_held"] or 0.0 for h in account.hours_of_pool.values())
        assert parts == pytest.approx(status["hours"][f"{kind}_held"])
    for stage in status["stages"]:
        if stage["tasks"]:
            mine = account.task_times[stage["name"]]
            assert mine["median_s"] == stage["tasks"]["median_s"]


def test_idle_gpus_of_a_training_on_one_are_not_hidden(cluster: Path) -> None:
    table = stage_table(account_of(cluster))
    (row,) = (r for r in table.rows if r[0].text == "train weighted")
    assert row[-1].text == "99.5 %"  # one of 200


def test_a_lost_block_has_no_workers_though_parsl_still_counts_them(
    cluster: Path,
) -> None:
    account = account_of(cluster)
    lost = next(b for b in account.blocks if b.lost)
    gpus = next(p for p in account.pools if p.name == "gpu")
    at = account.clock.read(lost.ended)
    before, after = gpus.there.at(np.array([at - 1, at + 1]))
    assert before - after == 4 * 8
    assert [s.lost for s in lost.stretches] == [False, True]


def test_the_page_lists_pools_lost_blocks_and_tries(drawn: Section) -> None:
    tables = {b.head[0]: b for b in drawn.blocks if isinstance(b, Table)}
    pools = {r[0].text: r for r in tables["Workers"].rows}
    assert texts(pools["gpu"])[1:4] == ["29", "29", "4"]
    assert pools["gpu"][0].detail == "md, train"
    assert texts(tables["Failed tries"].rows[0]) == ["sample", "4", "0", "0", "0"]
    (fold,) = (b for b in drawn.blocks if isinstance(b, Fold))
    (lost,) = (b for b in fold.blocks if isinstance(b, Table))
    assert texts(lost.rows[0])[-1] == "NODE_FAIL"


def test_two_hundred_workers_fit_on_the_page(drawn: Section, cluster: Path) -> None:
    (gallery,) = (b for b in drawn.blocks if isinstance(b, Gallery))
    assert all(len(picture.uri) < 1_500_000 for picture in gallery.pictures)
    body = json.loads((cluster / "figures" / "workers.json").read_text())
    assert len({row[0] for row in body["rows"]}) == 201  # one cpu never had a task


def test_a_run_that_noted_no_blocks_says_so_and_counts_who_had_tasks(
    synthetic: ModuleType, tmp_path: Path
) -> None:
    synthetic.two_workers.write_work(tmp_path)
    (tmp_path / "monitoring" / "events.jsonl").unlink()
    section = how_it_ran(RunSource(RunDir(tmp_path)), Canvas(tmp_path / "figures"))
    (note,) = (b for b in section.blocks if isinstance(b, Note) and b.tone == "caution")
    assert "from its first task to its last" in note.text
    facts = dict(run_facts(account_of(tmp_path)))
    assert facts["Workers"].startswith("at most 2;")
    assert "Blocks of workers" not in facts
    assert "Failed tries" not in facts


def test_a_pause_between_two_starts_is_no_time_of_the_workers(
    synthetic: ModuleType, tmp_path: Path
) -> None:
    synthetic.two_workers.write_work(tmp_path)
    account = account_of(tmp_path)
    (pool,) = account.pools
    assert len(pool.lanes) == 2
    assert account.whole_s < 600
    assert pool.there.total == pytest.approx(2 * (account.whole_s - 4 - 3))
    assert [b.waited_s for b in account.blocks] == [0, 0]


def test_what_a_stop_refused_has_not_failed() -> None:
    errors = [
        "StoppedError('The run was asked to stop')",
        "BashExitFailure('train_model', 4)",
        "BashExitFailure('train_model', 1)",
    ]
    body = {"event": "try_failed", "kind": "error", "again": False, "stage": "train"}
    tries = count_tries([body | {"error": e} for e in errors], noted=True)
    assert tries is not None
    assert tries["all"]["failed"] == 1


def test_blocks_of_one_name_in_two_starts_are_two() -> None:
    def block(when: float, state: str, workers: int = 0, name: str = "0") -> dict:
        return {
            "time": when, "event": "block", "executor": "md", "block": name,
            "state": state, "workers": workers,
        }  # fmt: skip

    events = [
        block(1, "queued"), block(3, "running", 4), block(7, "running", 2),
        block(2, "queued", name="1"), block(9, "lost", name="1"),
        block(101, "running", 4), block(105, "ended"),
    ]  # fmt: skip
    starts = [(0.0, 10.0), (100.0, 110.0)]
    first, never, second = list_blocks(events, starts)
    assert [(s.begin, s.end, s.workers) for s in first.stretches] == [
        (3, 7, 4),
        (7, 10, 2),
    ]
    assert (first.waited_s, first.ended) == (2, 10)
    assert (never.ran_from, never.lost, never.ended) == (None, True, 9)
    assert (second.ran_from, second.ended) == (101, 105)
    counts = count_blocks(events, [b for b, _ in starts], alive=False)
    assert counts == {"queued": 0, "running": 0, "lost": 1, "ended": 2}
