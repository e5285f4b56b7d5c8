"""The batch jobs of a run: noted as they are submitted, cancelled when left behind.

A driver that is killed cannot cancel its blocks; they would go on for their walltime.
Each block is therefore noted in jobs.jsonl, before it is submitted and with its id
after, and whoever opens the run next cancels what still waits or runs: those jobs and
no others.
"""

import getpass
import json
import logging
import os
import subprocess
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple

from site_configs.pools.gridengine_queue import describe_jobs, list_jobs

log = logging.getLogger(__name__)

JOBS_FILE = "jobs.jsonl"
PATIENCE_S = 10.0
"""How long a cancelled job may take to leave the queue before it is reported."""
COMMAND_S = 60.0


class BatchJob(NamedTuple):
    """One block of a run; without an id while it is being submitted."""

    time: float
    executor: str
    block: str
    job_id: str | None
    scheduler: str

    @property
    def key(self) -> str:
        """What tells it from the run's other jobs."""
        return self.job_id or f"{self.executor}/{self.block}"


class _Listed(NamedTuple):
    """A job of this user that is queued or running; name and script where known."""

    job_id: str
    name: str = ""
    script: str = ""


def note_job(
    path: Path, executor: str, block: str, job_id: str | None, scheduler: str
) -> None:
    """Append a block to ``path``; it is on disk when this returns."""
    job = BatchJob(time.time(), executor, block, job_id, scheduler)
    _append(path, [job._asdict()])


def read_jobs(path: Path) -> list[BatchJob]:
    """Return the jobs of ``path`` that are not known to be gone, oldest first."""
    jobs: dict[str, BatchJob] = {}
    for entry in _read(path):
        if "gone" in entry:
            jobs.pop(entry.get("key", ""), None)
            continue
        try:
            job = BatchJob(*(entry[name] for name in BatchJob._fields))
        except KeyError:
            continue
        jobs.pop(f"{job.executor}/{job.block}", None)  # it has its id now
        jobs[job.key] = job
    return list(jobs.values())


def cancel_jobs(path: Path, scripts: Path) -> list[str]:
    """Cancel the jobs of ``path`` that still wait or run; return their ids.

    Parameters
    ----------
    path
        The run's jobs.jsonl. Jobs that are gone are noted there as such.
    scripts
        Folder of Parsl's logs and submit scripts. Where the scheduler tells a job's
        script, one from there is ours even if the driver died before it could note
        the id; and a noted id with another name is a later job of something else.
    """
    left = read_jobs(path)
    cancelled: list[str] = []
    for scheduler in dict.fromkeys(job.scheduler for job in left):
        noted = [job for job in left if job.scheduler == scheduler]
        if scheduler not in _COMMANDS:
            continue
        try:
            cancelled += _cancel(scheduler, noted, scripts)
        except (OSError, subprocess.SubprocessError) as error:
            ids = " ".join(job.job_id for job in noted if job.job_id)
            log.warning(
                "could not ask %s about jobs left behind: %s; if they still run: %s %s",
                scheduler, _said(error), _COMMANDS[scheduler].cancel, ids,
            )  # fmt: skip
            continue
        _append(path, [{"gone": time.time(), "key": job.key} for job in noted])
    if cancelled:
        log.info("cancelled batch jobs left behind: %s", ", ".join(cancelled))
    return cancelled


def _cancel(scheduler: str, noted: list[BatchJob], scripts: Path) -> list[str]:
    """Cancel what is ours; wait until it has left the queue."""
    commands = _COMMANDS[scheduler]
    # a driver may be a batch job itself
    mine = os.environ.get(commands.own_id, "")
    ours = _ours(commands.list(), noted, scripts, mine)
    if not ours:
        return []
    # it fails where one of them has just ended; what counts is who is left
    done = subprocess.run(
        [commands.cancel, *ours],
        capture_output=True, encoding="utf-8", errors="surrogateescape",
        check=False, timeout=COMMAND_S, process_group=0,
    )  # fmt: skip
    end = time.monotonic() + PATIENCE_S
    while set(ours) & {job.job_id for job in commands.list()}:
        if time.monotonic() > end:
            said = done.stderr.strip()
            log.warning("jobs %s are slow to end; %s", ", ".join(ours), said)
            break
        time.sleep(0.2)
    return ours


def _ours(
    listed: Iterable[_Listed], noted: Iterable[BatchJob], scripts: Path, mine: str
) -> list[str]:
    """Return the ids among ``listed`` that belong to the run, but for ``mine``."""
    names = {
        job.job_id: f"parsl.{job.executor}.block-{job.block}."
        for job in noted
        if job.job_id is not None
    }
    found = []
    for job in listed:
        known = job.job_id in names and (
            not job.name or job.name.startswith(names[job.job_id])
        )
        folder, of_parsl, _ = job.script.partition("/submit_scripts/")
        unnoted = of_parsl and scripts in Path(folder).parents
        if (known or unnoted) and job.job_id != mine:
            found.append(job.job_id)
    return found


def _list_slurm() -> list[_Listed]:
    # completing jobs are on their way out, and cannot be cancelled again
    states = "PENDING,CONFIGURING,RUNNING,SUSPENDED"
    said = _run(
        ["squeue", "--noheader", f"--user={getpass.getuser()}", f"--states={states}",
         "--format=%i|%j|%o"]
    )  # fmt: skip
    return [_Listed(*line.split("|", 2)) for line in said.splitlines() if "|" in line]


def _list_pbs() -> list[_Listed]:
    return [_Listed(job) for job in _run(["qselect", "-u", getpass.getuser()]).split()]


def _list_lsf() -> list[_Listed]:
    return [_Listed(job) for job in _run(["bjobs", "-noheader", "-o", "jobid"]).split()]


def _list_gridengine() -> list[_Listed]:
    jobs = list_jobs()
    # it does not tell where a script was, but where its output goes, beside it
    asked = [job.job_id for job in jobs if job.name.startswith("parsl.")]
    outputs = {
        job_id: said.get("stdout_path_list", "").split(":", 2)[-1]
        for job_id, said in describe_jobs(asked).items()
    }
    return [_Listed(j.job_id, j.name, outputs.get(j.job_id, "")) for j in jobs]


class _Commands(NamedTuple):
    list: Callable[[], list[_Listed]]
    cancel: str
    own_id: str
    """Variable of a job that holds its id."""


_COMMANDS = {
    "slurm": _Commands(_list_slurm, "scancel", "SLURM_JOB_ID"),
    "pbspro": _Commands(_list_pbs, "qdel", "PBS_JOBID"),
    "lsf": _Commands(_list_lsf, "bkill", "LSB_JOBID"),
    "gridengine": _Commands(_list_gridengine, "qdel", "JOB_ID"),
}


def _run(command: list[str]) -> str:
    done = subprocess.run(
        command,
        capture_output=True,
        encoding="utf-8",
        errors="surrogateescape",
        check=True,
        timeout=COMMAND_S,
        process_group=0,  # Ctrl-C is for the driver
    )
    return done.stdout


def _said(error: Exception) -> str:
    stderr = getattr(error, "stderr", None)
    return str(stderr or error).strip()


def _append(path: Path, entries: list[dict[str, Any]]) -> None:
    torn = path.exists() and path.read_bytes()[-1:] not in (b"", b"\n")
    with path.open("a", encoding="utf-8") as out:
        if torn:
            out.write("\n")
        out.writelines(json.dumps(entry) + "\n" for entry in entries)
        out.flush()
        os.fsync(out.fileno())


def _read(path: Path) -> list[dict[str, Any]]:
    """Return the whole lines of ``path``.

    One torn by a kill, or that is no text, is passed over.
    """
    if not path.is_file():
        return []
    entries = []
    for line in path.read_bytes().splitlines():
        try:
            entry = json.loads(line)
        except ValueError:
            continue
        if isinstance(entry, dict):
            entries.append(entry)
    return entries
