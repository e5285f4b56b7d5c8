"""Parsl's Grid Engine provider with what fails on a real one mended.

Parsl's own throws away why qsub refused a job, takes a job that is being sent to its
node for a failed one, lets a job in error state stay in the queue for ever, asks once
a minute, and cannot tell what a job wrote before it ended.
"""

import logging
import re
import subprocess
import time
from pathlib import Path
from typing import Any, NamedTuple

from parsl.jobs.states import JobState, JobStatus
from parsl.providers import GridEngineProvider

from site_configs.errors import SiteError
from site_configs.pools.gridengine_queue import COMMAND_S, describe_jobs, list_jobs
from site_configs.pools.slurm_provider import (
    LOOK_AT_YOUNG_SECONDS,
    LOOK_SECONDS,
    YOUNG_SECONDS,
)
from site_configs.pools.utf8_scripts import Utf8Scripts

log = logging.getLogger(__name__)

# A block is never started again by Grid Engine (-r n): Parsl asks for a new one.
_TEMPLATE = """#!/bin/bash
#$$ -S /bin/bash
#$$ -N ${jobname}
#$$ -cwd
#$$ -r n
#$$ -l h_rt=${walltime}
${queue}
${scheduler_options}
${node_list}
${worker_init}

export JOBNAME="${jobname}"

$user_script
"""
# Parsl's mpiexec launcher reads the nodes of a job from PBS's variable.
_NODE_LIST = """
if [ -n "$PE_HOSTFILE" ]; then
  cut -d ' ' -f 1 "$PE_HOSTFILE" > "$TMPDIR/weft-nodes"
  export PBS_NODEFILE="$TMPDIR/weft-nodes"
fi
"""

_BUSY = ("unable to contact qmaster", "unable to send message to qmaster")
_TRY_AGAIN_SECONDS = (2.0, 4.0, 8.0)


class PatientGridEngineProvider(Utf8Scripts, GridEngineProvider):  # type: ignore[misc]
    """Knows all states, keeps terminal ones, and passes on what Grid Engine says."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self._submitted: dict[str, float] = {}
        self._can_run = False

    def get_configs(self, command: str, tasks_per_node: int) -> dict[str, Any]:
        """Return what fills the template of the submit script."""
        values: dict[str, Any] = super().get_configs(command, tasks_per_node)
        values["queue"] = f"#$ -q {self.queue}" if self.queue else ""
        values["node_list"] = _NODE_LIST if self.nodes_per_block > 1 else ""
        return values

    def submit(self, command: str, tasks_per_node: int, job_name: str = "weft") -> str:
        """Submit one block and return its job id; a busy qmaster is asked again.

        Raises
        ------
        SiteError
            If qsub refuses the job, or no queue could ever run it, in its words.
        """
        name = f"{job_name}.{time.time()}"
        path = f"{Path(self.script_dir).absolute()}/{name}.submit"
        configs = self.get_configs(command, tasks_per_node)
        self._write_submit_script(_TEMPLATE, path, name, configs)
        # on the command line no quote or blank has a meaning, and after a colon no
        # other one has
        outputs = ("-o", f":{path}.stdout", "-e", f":{path}.stderr")
        if not self._can_run:
            never = ask_whether_it_can_run(path, *outputs)
            if never is not None and never.certain:
                raise SiteError(f"Grid Engine would never start the job: {never.said}")
            self._can_run = True
        job_id = _submit(*outputs, path)
        self.resources[job_id] = {
            "job_id": job_id,
            "status": JobStatus(JobState.PENDING),
            "job_stdout_path": f"{path}.stdout",
            "job_stderr_path": f"{path}.stderr",
        }
        self._submitted[job_id] = time.monotonic()
        return job_id

    def _status(self) -> None:
        # those noted now: a job submitted meanwhile may not be in the answer
        open_jobs = {
            job_id: entry
            for job_id, entry in self.resources.items()
            if not entry["status"].terminal
        }
        if not open_jobs:
            return
        try:
            states = {job.job_id: job.state for job in list_jobs()}
        except (OSError, subprocess.SubprocessError) as error:
            log.warning("qstat: %s", error)
            return
        for job_id, entry in open_jobs.items():
            state = read_state(states.get(job_id))
            message = self._give_up(job_id) if state == JobState.FAILED else None
            entry["status"] = JobStatus(
                state, message, None, entry["job_stdout_path"], entry["job_stderr_path"]
            )

    def _give_up(self, job_id: str) -> str:
        """Cancel a job in error state, which would stay so for ever; return why."""
        try:
            reason = describe_jobs([job_id]).get(job_id, {}).get("error reason", "")
        except (OSError, subprocess.SubprocessError):
            reason = ""
        _run("qdel", job_id)
        return f"Grid Engine could not start job {job_id}: {reason}".rstrip(": ")

    def cancel(self, job_ids: list[str]) -> list[bool]:
        """Cancel jobs; tell of each whether it ends, or has ended by itself."""
        said = _run("qdel", *job_ids)
        ends = [True for _ in job_ids]
        if said.returncode != 0:  # also where one of them had ended before
            log.info("qdel: %s", _words(said))
            try:
                stay = {job.job_id for job in list_jobs() if "d" not in job.state}
            except (OSError, subprocess.SubprocessError):
                stay = set(job_ids)
            ends = [job_id not in stay for job_id in job_ids]
        for job_id, end in zip(job_ids, ends, strict=True):
            entry = self.resources[job_id]
            if end and not entry["status"].terminal:
                entry["status"] = JobStatus(JobState.CANCELLED)
        return ends

    @property
    def status_polling_interval(self) -> int:
        """Return the time between questions to the scheduler, s."""
        now = time.monotonic()
        new = any(
            now - self._submitted[job_id] < YOUNG_SECONDS
            and not entry["status"].terminal
            for job_id, entry in list(self.resources.items())
            if job_id in self._submitted
        )
        return LOOK_AT_YOUNG_SECONDS if new else LOOK_SECONDS


def read_state(letters: str | None) -> JobState:
    """Return Parsl's state for Grid Engine's letters, None for a job not listed."""
    if letters is None:
        return JobState.COMPLETED
    for marks, state in (
        ("E", JobState.FAILED),
        ("d", JobState.CANCELLED),
        ("sSTh", JobState.HELD),  # suspended by a person, a queue, a load; on hold
        ("qw", JobState.PENDING),
        ("rt", JobState.RUNNING),
    ):
        if set(marks) & set(letters):
            return state
    return JobState.UNKNOWN


class NeverRuns(NamedTuple):
    """Why Grid Engine sees no queue for a job, were the cluster empty."""

    said: str
    """Its words."""
    certain: bool
    """Not where the job asks for what hosts measure, such as mem_free: Grid Engine
    takes that for unknown in its trial."""


def ask_whether_it_can_run(script: str, *options: str) -> NeverRuns | None:
    """Let Grid Engine try a script without submitting it; None if all is well.

    Raises
    ------
    SiteError
        If it refuses the script itself.
    """
    done = _run("qsub", "-w", "v", *options, script)
    said = _words(done)
    if done.returncode == 0 or any(words in said for words in _BUSY):
        return None
    if "no suitable queues" not in said:
        raise SiteError(f"qsub refused the job: {said}")
    elsewhere = "not contained in its hard queue list"
    reasons = [line for line in said.splitlines() if elsewhere not in line]
    return NeverRuns("\n".join(reasons), "requests unknown resource (" not in said)


def _submit(*arguments: str) -> str:
    for pause in (*_TRY_AGAIN_SECONDS, None):
        done = _run("qsub", "-terse", *arguments)
        # a site's wrapper of qsub may say something first
        found = re.findall(r"^(\d+)(?:\..*)?\s*$", done.stdout, re.MULTILINE)
        if done.returncode == 0 and found:
            return str(found[-1])
        said = _words(done)
        if pause is None or not any(words in said for words in _BUSY):
            break
        log.warning("qsub: %s; asked again in %.0f s", said, pause)
        time.sleep(pause)
    raise SiteError(f"qsub refused the job: {said}")


def _run(*command: str) -> "subprocess.CompletedProcess[str]":
    try:
        return subprocess.run(
            command,
            capture_output=True,
            encoding="utf-8",
            errors="surrogateescape",
            check=False,
            timeout=COMMAND_S,
            process_group=0,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return subprocess.CompletedProcess(command, 1, "", str(error))


def _words(done: "subprocess.CompletedProcess[str]") -> str:
    lines = f"{done.stderr}\n{done.stdout}".strip().splitlines()
    return "\n".join(line for line in lines if line.strip() not in ("", "Exiting."))
