"""A run whose folder is gone is told so, and leftovers are found behind links."""

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from apps.science.files import write_json
from campaign.driver.guard import RunFolder, guarding_folder
from campaign.driver.reaper import find_leftovers
from campaign.ending import Ending
from campaign.layout.run_dir import RunDir


@pytest.fixture
def paths(tmp_path: Path) -> RunDir:
    paths = RunDir(tmp_path / "mine")
    paths.root.mkdir()
    paths.driver.touch()
    return paths


def test_a_folder_that_lies_where_it_did_is_not_lost(paths: RunDir) -> None:
    assert RunFolder(paths).say_lost() is None


def test_a_deleted_folder_is_lost(paths: RunDir) -> None:
    folder = RunFolder(paths)
    shutil.rmtree(paths.root)
    assert "was deleted" in str(folder.say_lost())


def test_a_folder_made_anew_at_its_place_is_another(paths: RunDir) -> None:
    folder = RunFolder(paths)
    shutil.rmtree(paths.root)
    paths.root.mkdir()
    paths.driver.touch()
    assert "was deleted" in str(folder.say_lost())


def test_an_emptied_folder_is_lost(paths: RunDir) -> None:
    folder = RunFolder(paths)
    paths.driver.unlink()
    assert "was emptied" in str(folder.say_lost())


@pytest.mark.skipif(sys.platform != "linux", reason="asks /proc")
def test_a_moved_folder_is_found_where_it_is(paths: RunDir) -> None:
    folder = RunFolder(paths)
    there = paths.root.with_name("my other")
    paths.root.rename(there)
    assert f"was moved to {there}" in str(folder.say_lost())
    assert f"weft resume '{there}'" in str(folder.say_lost())


def test_a_lost_folder_interrupts_the_main_thread(paths: RunDir) -> None:
    ending = Ending()

    def wait() -> None:
        with ending.on_signals(), guarding_folder(paths, ending):
            shutil.rmtree(paths.root)
            threading.Event().wait(20)

    with pytest.raises(KeyboardInterrupt):
        wait()
    assert ending.folder_gone
    assert "was deleted" in str(ending.reason)


def test_the_run_folder_is_not_made_anew(paths: RunDir, monkeypatch) -> None:
    monkeypatch.setenv("WEFT_RUN_DIR", str(paths.root))
    write_json(paths.progress("sample"), {})
    shutil.rmtree(paths.root)
    with pytest.raises(FileNotFoundError, match="was moved or deleted"):
        write_json(paths.progress("sample"), {})
    assert not paths.root.exists()


def test_signals_close_together_are_one_and_those_after_do_nothing() -> None:
    ending = Ending()
    with ending.on_signals():
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGTERM)
        os.kill(os.getpid(), signal.SIGHUP)
        ending.close()
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(0.01)
    assert ending.asked
    assert ending.reason is None


def test_what_is_held_ends_first() -> None:
    ending, done = Ending(), []

    def load() -> None:
        with ending.on_signals(), ending.held():
            os.kill(os.getpid(), signal.SIGTERM)
            done.append(True)

    with pytest.raises(KeyboardInterrupt):
        load()
    assert done


def test_an_ignored_sighup_stays_ignored() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with Ending().on_signals():
            os.kill(os.getpid(), signal.SIGHUP)
    finally:
        signal.signal(signal.SIGHUP, before)


def test_leftovers_are_found_by_either_name_of_their_folder(paths: RunDir) -> None:
    link = paths.root.with_name("link")
    link.symlink_to(paths.root)
    for named, asked in ((link, paths.root), (paths.root, link)):
        left = subprocess.Popen(
            ["sleep", "60"], env=os.environ | {"WEFT_RUN_DIR": str(named)}
        )
        try:
            found = [p.pid for p in find_leftovers(asked)]
            assert found == [left.pid]
        finally:
            left.kill()
            left.wait()
