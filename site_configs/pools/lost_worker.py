"""How a worker was lost: a limit of memory, a signal, or an exit of its own.

Parsl says only that it is gone. The pool that started it knows its exit status, and the
kernel counts whom it has ended for want of memory.
"""

import signal
from pathlib import Path
from typing import Any

from parsl.executors.high_throughput import errors

MEMORY_ADVICE = (
    "Ask for more memory in the site file (memory_per_node_gib on Slurm, "
    "select_options or scheduler_options elsewhere), or let fewer tasks share a node "
    "(workers_per_node, memory_per_worker_gib)."
)
CGROUPS = Path("/sys/fs/cgroup")


class WorkerLost(errors.WorkerLost):  # type: ignore[misc]
    """Parsl's error of a lost worker that says how the worker ended."""

    def __init__(self, worker_id: object, hostname: str, how: str) -> None:
        super().__init__(worker_id, hostname)
        self.how = how

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.worker_id, self.hostname, self.how)

    def __str__(self) -> str:
        return f"Worker {self.worker_id} on host {self.hostname} was lost: {self.how}"


def describe_end(exit_status: int | None, memory_kills: int) -> str:
    """Return how a worker ended.

    Parameters
    ----------
    exit_status
        That of multiprocessing: negative for a signal, None where it is not known.
    memory_kills
        Processes of its batch job or container that the kernel has ended for want of
        memory since the pool began.
    """
    if exit_status == -signal.SIGKILL:
        if memory_kills:
            return (
                "it was killed since its batch job or container reached its limit of "
                f"memory. {MEMORY_ADVICE}"
            )
        return (
            "it was killed (SIGKILL), as the system does where memory runs out. If "
            f"nobody else did: {MEMORY_ADVICE[0].lower()}{MEMORY_ADVICE[1:]}"
        )
    if exit_status is None:
        return "how it ended is not known."
    if exit_status < 0:
        try:
            name = signal.Signals(-exit_status).name
        except ValueError:
            name = f"signal {-exit_status}"
        return f"it was ended by {name}."
    return f"it ended with status {exit_status}."


def count_memory_kills(groups: Path = CGROUPS, own: str | None = None) -> int:
    """Return how often the kernel ended a process of this cgroup for want of memory.

    Parameters
    ----------
    groups
        Where cgroups are mounted.
    own
        The text of /proc/self/cgroup; by default that of this process.
    """
    try:
        own = Path("/proc/self/cgroup").read_text("utf-8") if own is None else own
    except OSError:
        return 0
    for line in own.splitlines():
        _, controllers, path = line.split(":", 2)
        name = path.lstrip("/")
        for file in (
            groups / name / "memory.events",  # version 2
            groups / "memory" / name / "memory.oom_control",
        ):
            if controllers in ("", "memory") and file.is_file():
                return _read_count(file)
    return 0


def _read_count(file: Path) -> int:
    try:
        for row in file.read_text("utf-8").splitlines():
            key, _, count = row.partition(" ")
            if key == "oom_kill":
                return int(count)
    except (OSError, ValueError):
        pass
    return 0
