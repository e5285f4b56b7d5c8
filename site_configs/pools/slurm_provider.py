"""Parsl's Slurm provider with the faults of its job states mended."""

import logging
import re
import subprocess
import time
from pathlib import Path
from typing import Any

from parsl.jobs.states import JobState, JobStatus
from parsl.providers import SlurmProvider

from site_configs.errors import SiteError
from site_configs.pools.lost_worker import MEMORY_ADVICE
from site_configs.pools.utf8_scripts import Utf8Scripts

log = logging.getLogger(__name__)

GRACE_SECONDS = 30.0
"""Accounting may list a job only some time after it was submitted."""

YOUNG_SECONDS = 120.0
LOOK_AT_YOUNG_SECONDS = 5
LOOK_SECONDS = 15
"""A job is looked at more often while it is new: bad ones end at once."""

# squeue leaves out jobs that have ended unless asked for every state. It fails on a
# lone job that the controller has forgotten; Parsl then updates nothing and the job
# looks RUNNING for ever. Read that one error as "not listed".
_SQUEUE = (
    "out=$(squeue {clusters} --noheader --states=all --format='%i %t' --job '{{0}}' "
    '2>&1); rc=$?; case "$out" in *"Invalid job id"*) exit 0;; esac; '
    'echo "$out"; exit $rc'
)
# states that Parsl's table lacks; unknown, they would count as neither up nor ended
_MORE_STATES = {
    "PR": JobState.TIMEOUT,  # preempted: expected, as the end of the walltime is
    "DL": JobState.TIMEOUT,
    "OOM": JobState.FAILED,
    "BF": JobState.FAILED,
    "RQ": JobState.PENDING,
    "S": JobState.HELD,
    "SI": JobState.RUNNING,
    "SO": JobState.RUNNING,
}

_HOPELESS = {
    "PartitionTimeLimit": "its walltime is longer than the partition allows",
    "PartitionNodeLimit": "it asks for more nodes than the partition allows",
    "AssocMaxWallDurationPerJobLimit": "its walltime is longer than the account may",
    "QOSMaxWallDurationPerJobLimit": "its walltime is longer than the qos allows",
    "BadConstraints": "no node has what it asks for",
    "AccountNotAllowed": "the account may not use the partition",
    "InvalidAccount": "the account is not known",
    "InvalidQOS": "the qos is not known",
    "QOSNotAllowed": "the qos may not be used with this partition or account",
}
"""Reasons for which Slurm lets a job wait for ever."""

_ENDS = {
    "OUT_OF_MEMORY": f"it used more memory than it was granted. {MEMORY_ADVICE}",
    "NODE_FAIL": "its node failed.",
    "BOOT_FAIL": "its node did not boot.",
}
"""States of a job that failed by no fault of its own commands."""

_BUSY = ("Socket timed out", "Unable to contact slurm", "temporarily unable")
_TRY_AGAIN_SECONDS = (2.0, 4.0, 8.0)


def as_output(path: str) -> str:
    """Return what Slurm must be told for the name of a job's output file.

    It puts the job's id for %j and the like, unless there is a backslash in the name.
    """
    if "\\" in path:
        return path.replace("\\", "\\\\")
    return path.replace("%", "%%")


class PatientSlurmProvider(Utf8Scripts, SlurmProvider):  # type: ignore[misc]
    """Keeps terminal states, gives a fresh job time to be listed, knows more states."""

    _cmd: str  # what Parsl asks for the states of jobs
    _translate_table: dict[str, JobState]

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self._submitted: dict[str, float] = {}
        if self._cmd.startswith("squeue"):
            clusters = f"--clusters={self.clusters}" if self.clusters else ""
            self._cmd = _SQUEUE.format(clusters=clusters)
            self._translate_table = _MORE_STATES | self._translate_table

    def submit(self, command: str, tasks_per_node: int, job_name: str = "weft") -> str:
        """Submit one block and return its job id; a busy controller is asked again.

        Raises
        ------
        SiteError
            If sbatch refuses the job, with what it said.
        """
        name = f"{job_name}.{time.time()}"
        script = Path(self.script_dir).absolute() / name
        text = self._script(command, tasks_per_node, name)
        self._write_submit_script("$text", str(script), name, {"text": text})
        out, err = (f"{script}.{stream}" for stream in ("stdout", "stderr"))
        job_id = self._sbatch(
            f"--output={as_output(out)}", f"--error={as_output(err)}", str(script)
        )
        self.resources[job_id] = {
            "job_id": job_id,
            "status": JobStatus(JobState.PENDING),
            "job_stdout_path": out,
            "job_stderr_path": err,
        }
        self._submitted[job_id] = time.monotonic()
        return job_id

    def _script(self, command: str, tasks_per_node: int, name: str) -> str:
        """Return a block's batch script, without the paths of its output.

        Those go on the command line, where no quote or blank has a meaning.
        """
        options = [
            f"--job-name={name}",
            f"--nodes={self.nodes_per_block}",
            f"--time={self.walltime}",
            f"--ntasks-per-node={tasks_per_node}",
        ]
        more, variables = [], []
        if self.mem_per_node is not None:
            more.append(f"--mem={self.mem_per_node}g")
            variables.append(f"export PARSL_MEMORY_GB={self.mem_per_node}")
        if self.cores_per_node is not None:
            cores = self.cores_per_node // tasks_per_node
            more.append(f"--cpus-per-task={cores}")
            variables.append(f"export PARSL_CORES={cores}")
        lines = [
            "#!/bin/bash",
            *(f"#SBATCH {option}" for option in options),
            self.scheduler_options.rstrip("\n"),
            *(f"#SBATCH {option}" for option in more),
            self.worker_init,
            *variables,
            f"export JOBNAME={name}",
            self.launcher(
                command, tasks_per_node, self.nodes_per_block, self.script_dir
            ),
        ]
        return "\n".join(lines) + "\n"

    def _sbatch(self, *arguments: str) -> str:
        for pause in (*_TRY_AGAIN_SECONDS, None):
            try:
                done = subprocess.run(
                    ["sbatch", *arguments], timeout=self.cmd_timeout, check=False,
                    capture_output=True, encoding="utf-8", errors="replace",
                    stdin=subprocess.DEVNULL,
                )  # fmt: skip
            except (OSError, subprocess.TimeoutExpired) as error:
                raise SiteError(f"sbatch could not be asked: {error}") from None
            # a site's wrapper of sbatch may say something first
            found = re.findall(self.regex_job_id, done.stdout)
            if done.returncode == 0 and found:
                return str(found[-1])
            said = (done.stderr.strip() or done.stdout.strip()) or "nothing"
            if pause is None or not any(words in said for words in _BUSY):
                break
            log.warning("sbatch: %s; asked again in %.0f s", said, pause)
            time.sleep(pause)
        raise SiteError(f"sbatch refused the job: {said}")

    def _status(self) -> None:
        before = {job: entry["status"] for job, entry in self.resources.items()}
        super()._status()
        for job, old in before.items():
            new = self.resources[job]["status"]
            fresh = self._age(job) < GRACE_SECONDS
            unlisted = new.state == JobState.COMPLETED and fresh
            if old.terminal or unlisted:
                self.resources[job]["status"] = old
            elif new.state == JobState.FAILED:
                new.message = self._say_why(job)
        self._end_hopeless()

    def _say_why(self, job: str) -> str | None:
        """Return why Slurm ended a job, where it is more than that it failed."""
        if self._cmd.startswith("sacct"):
            asked = f"sacct -X --noheader --parsable2 --format=state --job {job}"
        else:
            asked = f"squeue --noheader --states=all --format=%T --job {job}"
        _, said, _ = self.execute_wait(asked)
        why = _ENDS.get(said.strip())
        if why is None:
            return None
        message = f"Slurm ended job {job} ({said.strip()}): {why}"
        log.warning(message)
        return message

    def _end_hopeless(self) -> None:
        """Cancel jobs that wait for what will never be; say what that is."""
        waiting = [
            job
            for job, entry in self.resources.items()
            if entry["status"].state == JobState.PENDING
        ]
        if not waiting:
            return
        asked = f"squeue --noheader --format='%i %r' --job '{','.join(waiting)}'"
        _, said, _ = self.execute_wait(asked)
        for line in said.splitlines():
            job, _, reason = line.strip().partition(" ")
            if job in waiting and reason in _HOPELESS:
                self.cancel([job])
                message = (
                    f"Slurm would let job {job} wait for ever ({reason}): "
                    f"{_HOPELESS[reason]}. It was cancelled; mend the site file."
                )
                entry = self.resources[job]
                entry["status"] = JobStatus(JobState.FAILED, message)

    def _age(self, job_id: str) -> float:
        return time.monotonic() - self._submitted.get(job_id, 0.0)

    @property
    def status_polling_interval(self) -> int:
        """Return the time between questions to the scheduler, s."""
        new = any(
            self._age(job) < YOUNG_SECONDS and not entry["status"].terminal
            for job, entry in list(self.resources.items())
        )
        return LOOK_AT_YOUNG_SECONDS if new else LOOK_SECONDS
