"""Parsl's Slurm provider with three faults of its job states mended."""

import time
from typing import Any

from parsl.jobs.states import JobState
from parsl.providers import SlurmProvider

GRACE_SECONDS = 30.0
"""Accounting may list a job only some time after it was submitted."""

# squeue fails on a lone job that the controller has forgotten; Parsl then updates
# nothing and the job looks RUNNING for ever. Read that one error as "not listed".
_SQUEUE = (
    "out=$(squeue {clusters} --noheader --format='%i %t' --job '{{0}}' 2>&1); rc=$?; "
    'case "$out" in *"Invalid job id"*) exit 0;; esac; echo "$out"; exit $rc'
)


class PatientSlurmProvider(SlurmProvider):  # type: ignore[misc]
    """Keeps terminal states, and gives a fresh job time to be listed."""

    _cmd: str  # what Parsl asks for the states of jobs

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self._submitted: dict[str, float] = {}
        if self._cmd.startswith("squeue"):
            clusters = f"--clusters={self.clusters}" if self.clusters else ""
            self._cmd = _SQUEUE.format(clusters=clusters)

    def submit(self, command: str, tasks_per_node: int, job_name: str = "weft") -> str:
        """Submit one block and return its job id."""
        job_id: str = super().submit(command, tasks_per_node, job_name)
        self._submitted[job_id] = time.monotonic()
        return job_id

    def _status(self) -> None:
        before = {job: entry["status"] for job, entry in self.resources.items()}
        super()._status()
        now = time.monotonic()
        for job, old in before.items():
            new = self.resources[job]["status"]
            fresh = now - self._submitted.get(job, 0.0) < GRACE_SECONDS
            unlisted = new.state == JobState.COMPLETED and fresh
            if old.terminal or unlisted:
                self.resources[job]["status"] = old

    @property
    def status_polling_interval(self) -> int:
        """Return the time between questions to the scheduler, s."""
        return 15
