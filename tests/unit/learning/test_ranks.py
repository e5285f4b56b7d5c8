"""Processes that train together: who may reach them, and how they end."""

import ipaddress
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from apps.science.learning.launch import training_command
from apps.science.stopping import UNFINISHED
from apps.science.tasks.force_matching.config import TrainingJob

pytestmark = pytest.mark.slow

PATIENCE_S = 240.0


class Training:
    """One training that would take for ever, and its log."""

    def __init__(self, job: TrainingJob, config: Path) -> None:
        self.job, self.config = job, config
        self.log = config.with_name("train.log")
        self.environment = {"OMP_NUM_THREADS": "1", "TMPDIR": str(config.parent)}
        # whatever lies where training runs is not imported
        (config.parent / "torch.py").write_text("raise SystemExit('not torch')")
        self.started: list[subprocess.Popen[bytes]] = []

    def start(self, *command: str, n: int = 2) -> subprocess.Popen[bytes]:
        """Start ``n`` processes, or ``command`` where one is given."""
        with self.log.open("ab") as log:
            process = subprocess.Popen(
                command or training_command(self.config, n, {}),
                stdout=log, stderr=log, env=os.environ | self.environment,
                cwd=self.config.parent,
            )  # fmt: skip
        self.started.append(process)
        return process

    def wait_for(self, words: str) -> None:
        wait_until(lambda: words in self.said() or self.over(), words)
        assert words in self.said(), self.said()

    def over(self) -> bool:
        return all(process.poll() is not None for process in self.started)

    def said(self) -> str:
        return self.log.read_text() if self.log.exists() else ""

    def ranks(self) -> list[psutil.Process]:
        return [
            child
            for process in self.started
            for child in psutil.Process(process.pid).children()
        ]


def wait_until(reached: Callable[[], bool], what: str) -> None:
    end = time.monotonic() + PATIENCE_S
    while not reached():
        assert time.monotonic() < end, what
        time.sleep(0.05)


def is_gone(process: psutil.Process) -> bool:
    try:
        return process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def listening(processes: list[psutil.Process]) -> list[str]:
    return [
        connection.laddr.ip
        for process in processes
        for connection in process.net_connections(kind="inet")
        if connection.status == psutil.CONN_LISTEN
    ]


@pytest.fixture
def training(make_job: Callable[..., TrainingJob], write_job) -> Iterator[Training]:
    job = make_job("endless", n_epochs=100_000, patience=100_000)
    training = Training(job, write_job(job))
    yield training
    for process in training.started:
        found = psutil.Process(process.pid).children() if process.poll() is None else []
        process.kill()
        process.wait()
        for child in found:
            child.kill()


def test_processes_listen_on_loopback_and_end_when_one_is_killed(
    training: Training,
) -> None:
    launcher = training.start()
    training.wait_for("epoch 1:")
    ranks = training.ranks()
    found = listening([psutil.Process(launcher.pid), *ranks])
    assert found, "gloo listens"
    assert all(ipaddress.ip_address(address).is_loopback for address in found)

    ranks[1].kill()
    assert launcher.wait(timeout=30) == 128 + signal.SIGKILL
    assert all(is_gone(process) for process in ranks)
    assert "process 2 of 2 was killed by the system (SIGKILL)" in training.said()
    assert "Traceback" not in training.said()


def test_sigterm_lets_all_leave_with_a_checkpoint(training: Training) -> None:
    launcher = training.start()
    training.wait_for("epoch 1:")
    launcher.terminate()
    assert launcher.wait(timeout=60) == UNFINISHED
    assert training.job.unfinished.exists()
    assert (training.job.out / "checkpoints" / "last.pt").exists()
    assert training.said().count("stopped on request") == 1


def test_no_name_is_needed_and_nobody_stays_when_the_launcher_is_killed(
    training: Training,
) -> None:
    """One node never asks what its host is called."""
    unshare = shutil.which("unshare")
    unnamed = [str(unshare), "--map-root-user", "--uts", "sh", "-c"]
    named = 'hostname nowhere.invalid && exec "$@"'
    if (
        unshare is None
        or subprocess.run([*unnamed, named, "-", "true"], check=False).returncode
    ):
        pytest.skip("this host lets nobody change a host's name for one process")
    launcher = training.start(
        *unnamed, named, "-", *training_command(training.config, 2, {})
    )
    training.wait_for("epoch 1:")
    ranks = training.ranks()
    assert len(ranks) == 2
    launcher.kill()
    wait_until(lambda: all(is_gone(process) for process in ranks), "orphans")
    assert not list(training.config.parent.glob("weft-meeting-*"))


def test_nodes_meet_in_a_folder_and_the_failure_of_one_ends_all(
    training: Training,
) -> None:
    meeting = training.config.with_name(".meeting-test")
    command = (
        sys.executable, "-m", "apps.science.learning.start_ranks",
        str(training.config), "--per-node", "1", "--nodes", "2", "--meeting",
        str(meeting),
    )  # fmt: skip
    nodes = [training.start(*command) for _ in range(2)]
    training.wait_for("epoch 1:")
    assert meeting.stat().st_mode & 0o077 == 0
    found = listening([psutil.Process(node.pid) for node in nodes] + training.ranks())
    assert found
    assert not any(ipaddress.ip_address(address).is_unspecified for address in found)

    training.ranks()[0].kill()
    assert all(node.wait(timeout=60) not in (0, UNFINISHED) for node in nodes)
    assert not meeting.exists()


def test_a_training_alone_listens_nowhere_and_ends_with_who_started_it(
    training: Training,
) -> None:
    command = training_command(training.config, 1, {})
    child = "import subprocess, sys; subprocess.Popen(sys.argv[1:]).wait()"
    named = f"import os; os.environ['WEFT_PARENT_PID'] = str(os.getpid()); {child}"
    parent = training.start(sys.executable, "-c", named, *command)
    training.wait_for("epoch 1:")
    alone = training.ranks()
    assert not listening(alone)
    parent.kill()
    wait_until(lambda: all(is_gone(process) for process in alone), "orphan")
