"""A lost worker says how it ended, and a limit of memory which key raises it."""

import os
import pickle
import stat
from pathlib import Path

import pytest
from parsl.executors.high_throughput import errors
from parsl.jobs.states import JobState, JobStatus

from apps.science.errors import KilledError
from apps.science.we.failures import FailureKind, classify_failure
from campaign.driver.limits import describe_limit
from site_configs.pools.lost_worker import (
    WorkerLost,
    count_memory_kills,
    describe_end,
)
from site_configs.pools.providers import make_provider
from site_configs.schema import ExecutorConfig


@pytest.mark.parametrize(
    ("status", "kills", "words"),
    [
        (-9, 1, "its batch job or container reached its limit of memory. Ask for more"),
        (-9, 0, "as the system does where memory runs out. If nobody else did: ask"),
        (-11, 0, "it was ended by SIGSEGV."),
        (-200, 0, "it was ended by signal 200."),
        (137, 0, "it ended with status 137."),
        (None, 0, "not known"),
    ],
)
def test_an_end_is_told_with_what_to_do(
    status: int | None, kills: int, words: str
) -> None:
    said = describe_end(status, kills)
    assert words in said
    assert ("memory_per_node_gib" in said) == (status == -9)


def test_the_error_survives_its_way_to_the_driver() -> None:
    lost = pickle.loads(pickle.dumps(WorkerLost(3, "node1", "it left.")))
    assert isinstance(lost, errors.WorkerLost)
    assert str(lost) == "Worker 3 on host node1 was lost: it left."
    assert classify_failure(lost) is FailureKind.LOST


@pytest.mark.parametrize(
    ("own", "file"),
    [
        ("0::/user.slice/job 7\n", "user.slice/job 7/memory.events"),
        ("4:memory:/s/job_7\n1:name=systemd:/\n", "memory/s/job_7/memory.oom_control"),
    ],
)
def test_the_kernel_counts_its_kills(tmp_path: Path, own: str, file: str) -> None:
    assert count_memory_kills(tmp_path, own) == 0
    path = tmp_path / file
    path.parent.mkdir(parents=True)
    path.write_text("low 0\noom 3\noom_kill 2\n")
    assert count_memory_kills(tmp_path, own) == 2
    assert count_memory_kills() >= 0


def test_a_task_that_finds_no_memory_is_told_so() -> None:
    error = RuntimeError("prepare failed")
    error.__cause__ = MemoryError()
    assert "memory_per_node_gib" in describe_limit(error)
    assert "want of memory: ask for more" in describe_limit(KilledError("SIGKILL"))
    assert describe_limit(ValueError("x")) == ""
    assert describe_limit(WorkerLost(3, "node1", "it left.")) == ""


def test_a_job_that_slurm_ended_for_memory_is_told_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stand-in speaks Slurm's words: the one of the tests has no cgroups."""
    for name, lines in {
        "sacct": "exit 1",
        "squeue": '[[ "$*" == *%T* ]] && echo OUT_OF_MEMORY || echo "7 OOM"',
    }.items():
        program = tmp_path / name
        program.write_text(f"#!/bin/bash\n{lines}\n")
        program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    provider = make_provider(ExecutorConfig(scheduler="slurm"), "")
    out = {"job_stdout_path": "/x", "job_stderr_path": "/y"}
    provider.resources["7"] = {"status": JobStatus(JobState.RUNNING), **out}
    (status,) = provider.status(["7"])
    assert status.state == JobState.FAILED
    assert "Slurm ended job 7 (OUT_OF_MEMORY): it used more memory" in status.message
    assert "memory_per_node_gib" in status.message
