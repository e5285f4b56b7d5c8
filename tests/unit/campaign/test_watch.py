"""The page is served for real, on loopback, and holds what the run's files say."""

import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path

import pytest

from apps.science.errors import ConfigError
from campaign.layout.run_dir import RunDir
from campaign.ledger import Ledger
from campaign.watching.notes import append_event
from campaign.watching.page.lanes import PIXELS, draw_timeline
from campaign.watching.page.server import LOOPBACK, WatchServer
from campaign.watching.timeline import Task

NASTY = "<script>alert(1)</script>"


@contextmanager
def served(run_dir: Path) -> Iterator[int]:
    with WatchServer(run_dir, 0) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join()


def get(port: int, path: str, host: str = f"{LOOPBACK}:1") -> tuple[HTTPResponse, str]:
    connection = HTTPConnection(LOOPBACK, port, timeout=10)
    connection.request("GET", path, headers={"Host": host})
    answer = connection.getresponse()
    text = answer.read().decode()
    connection.close()
    return answer, text


@pytest.fixture
def paths(begun: RunDir) -> RunDir:
    paths, ledger = begun, Ledger(begun.ledger)
    ledger.append("failed", "sample", message=f"no force field {NASTY}")
    append_event(paths, "block", executor="md", block="0", state="lost", workers=0,
                 job_id="4711", said="FAILED")  # fmt: skip
    begin = ledger.entries()[0].time
    paths.tasks.mkdir()
    line = {"app": "propagate_block", "role": "md", "stage": "sample", "host": "n1",
            "pid": 5, "started": begin, "ended": begin + 3.0}  # fmt: skip
    (paths.tasks / "n1-5.jsonl").write_text(json.dumps(line) + "\n")
    paths.log.write_text(f"2026-11-20 12:00:00,000 ERROR campaign.context: {NASTY}\n")
    return paths


def test_the_page_shows_the_run_and_fetches_nothing_from_elsewhere(paths) -> None:
    with served(paths.root) as port:
        answer, page = get(port, "/")
    assert answer.status == 200
    assert "default-src 'none'" in (answer.getheader("Content-Security-Policy") or "")
    assert not re.search(r"(src|href)=\"(?!data:)", page)
    assert "http" not in page.replace("http-equiv", "")
    for words in ("mine", "failed", "no force field", "weft resume", "job 4711"):
        assert words in page
    assert NASTY not in page
    assert page.count("&lt;script&gt;alert(1)") == 2


def test_the_json_follows_the_files(paths) -> None:
    with served(paths.root) as port:
        _, before = get(port, "/status.json")
        Ledger(paths.ledger).append("started", "sample")
        Ledger(paths.ledger).append("done", "sample", seconds=5.0, outputs={})
        _, after = get(port, "/status.json?window=last")
    states = [
        [s["state"] for s in json.loads(text)["status"]["stages"]]
        for text in (before, after)
    ]
    assert states == [["done", "failed", "waiting"], ["done", "done", "waiting"]]
    assert set(json.loads(after)["parts"]) == {"head", "stages", "workers", "log"}
    assert "<rect" in json.loads(after)["parts"]["workers"]


def test_other_names_and_other_paths_are_refused(paths) -> None:
    with served(paths.root) as port:
        assert get(port, "/", host="elsewhere.org")[0].status == 403
        assert get(port, "/campaign.log")[0].status == 404
        assert get(port, "/../mine/ledger.jsonl")[0].status == 404
        assert get(port, "/", host=f"localhost:{port}")[0].status == 200
        for broken in ("[::1", "[", "]:x", "localhost:\xe9"):
            assert get(port, "/", host=broken)[0].status in {200, 403}
        assert get(port, "http://[::1")[0].status == 400


def test_only_this_computer_is_listened_to(paths) -> None:
    with WatchServer(paths.root, 0) as server:
        assert server.server_address[0] == LOOPBACK


def test_a_taken_port_is_named_with_the_way_out(paths) -> None:
    with (
        served(paths.root) as port,
        pytest.raises(ConfigError, match=rf"Port {port} .* is taken.*--port 0"),
    ):
        WatchServer(paths.root, port)


def test_a_folder_that_is_no_run_is_refused(tmp_path) -> None:
    with pytest.raises(ConfigError, match="is not a run folder"):
        WatchServer(tmp_path, 0)


def test_a_run_that_has_not_begun_has_a_page(tmp_path) -> None:
    Ledger(tmp_path / "ledger.jsonl").append("run_started", stages=["sample"])
    with served(tmp_path) as port:
        answer, page = get(port, "/")
    assert answer.status == 200
    assert "Nothing was said yet." in page


def make_task(begin: float, end: float, pid: int = 1, app: str = "f") -> Task:
    return Task(app, "md", "sample", "h", pid, begin, end, True)


def test_bars_cover_the_share_of_time_that_tasks_did() -> None:
    tasks = [make_task(0, 25), make_task(50, 75), make_task(0, 100, pid=2)]
    found = draw_timeline(tasks, [], [(0, 100)])
    assert found is not None
    covered = [sum(bar.width for bar in row.bars) for row in found.rows]
    assert covered == pytest.approx([0.5 * PIXELS, PIXELS], abs=2)


def test_ten_thousand_tasks_are_at_most_a_bar_a_pixel() -> None:
    tasks = [make_task(n, n + 0.99) for n in range(10_000)]
    found = draw_timeline(tasks, [], [(0, 10_000)])
    assert found is not None
    assert len(found.rows[0].bars) == 1


def test_pauses_between_two_starts_are_cut_out() -> None:
    tasks = [make_task(0, 10), make_task(1000, 1010, pid=2)]
    found = draw_timeline(tasks, [], [(0, 10), (1000, 1010)])
    assert found is not None
    assert found.rows[1].bars[0].x == pytest.approx(PIXELS / 2)
    assert found.resumes == pytest.approx([PIXELS / 2])


def test_a_window_shows_only_what_falls_into_it() -> None:
    tasks = [make_task(0, 10), make_task(950, 1000, pid=2)]
    found = draw_timeline(tasks, [], [(0, 1000)], window_s=100)
    assert found is not None
    (row,) = found.rows
    assert row.bars[0].x == pytest.approx(PIXELS / 2)


def test_a_running_task_reaches_to_now() -> None:
    running = [{"app": "f", "role": "md", "stage": "sample", "since": 75.0}]
    found = draw_timeline([], running, [(0, 100)])
    assert found is not None
    (bar,) = found.rows[0].bars
    assert (bar.x, bar.x + bar.width) == pytest.approx((0.75 * PIXELS, PIXELS))
    assert draw_timeline([], [], [(0, 100)]) is None
