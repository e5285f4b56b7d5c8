"""How a long command of a task ended is told in words, with its own last ones."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from apps.science.errors import (
    CommandError,
    KilledError,
    LeftUnfinishedError,
    StoppedError,
)
from apps.timed_command import run_command


def run(folder: Path, program: str) -> None:
    run_command(
        "training", [sys.executable, "-c", program], folder / "unfinished",
        folder / "train.log", "train_m",
    )  # fmt: skip


def test_a_killed_command_says_so_and_quotes_its_log(tmp_path: Path) -> None:
    """The lines of an earlier start are not this one's."""
    (tmp_path / "train.log").write_text("old news\n")
    kill = "import os; print('epoch 3', flush=True); os.kill(os.getpid(), 9)"
    with pytest.raises(KilledError) as caught:
        run(tmp_path, kill)
    said = str(caught.value)
    assert "killed by the system (SIGKILL), often for want of memory" in said
    assert "epoch 3" in said
    assert "old news" not in said
    assert (tmp_path / "train.log").read_text() == "old news\nepoch 3\n"


def test_a_failed_command_quotes_its_last_lines(tmp_path: Path) -> None:
    talk = "for i in range(99): print('line', i)\nraise SystemExit('the loss is nan')"
    with pytest.raises(CommandError, match="exit status 1") as caught:
        run(tmp_path, talk)
    assert str(caught.value).endswith("line 98\n    the loss is nan")
    assert "line 50" not in str(caught.value)


def test_a_crash_and_silence_are_named(tmp_path: Path) -> None:
    crash = f"import os; os.kill(os.getpid(), {int(signal.SIGSEGV)})"
    with pytest.raises(CommandError, match=r"crashed \(SIGSEGV\)\. It said nothing"):
        run(tmp_path, crash)


def test_one_that_left_a_checkpoint_is_to_go_on(tmp_path: Path) -> None:
    leave = "open('unfinished', 'w')"
    with pytest.raises(LeftUnfinishedError):
        run(tmp_path, f"import os; os.chdir({str(tmp_path)!r}); {leave}")


def test_none_begins_in_a_run_that_was_stopped(tmp_path: Path, monkeypatch) -> None:
    (tmp_path / "stop").touch()
    monkeypatch.setenv("WEFT_RUN_DIR", str(tmp_path))
    with pytest.raises(StoppedError):
        run(tmp_path, "open('ran', 'w')")


WORKER = """
import sys
from pathlib import Path
from apps.timed_command import run_command

sleep = f"import os, time; open('pid', 'w').write(str(os.getpid())); time.sleep(600)"
log = Path("train.log").absolute()
run_command("training", [sys.executable, "-c", sleep], log, log, "train_m")
"""


def test_a_command_ends_with_the_worker_that_ran_it(tmp_path: Path) -> None:
    worker = subprocess.Popen([sys.executable, "-c", WORKER], cwd=tmp_path)
    end, path = time.monotonic() + 60, tmp_path / "pid"
    while not (path.exists() and path.read_text()):
        assert time.monotonic() < end
        time.sleep(0.05)
    command = psutil.Process(int(path.read_text()))
    worker.kill()
    worker.wait()
    command.wait(timeout=60)
