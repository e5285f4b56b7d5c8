"""Questions to Slurm that start nothing: partitions, a script's chances, a job."""

import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import NamedTuple

from site_configs.schema import ExecutorConfig

_SECONDS = 30.0


class Partition(NamedTuple):
    """What sinfo says of one kind of node of a partition."""

    name: str
    gres: str
    time_limit: str
    cores: str
    is_up: bool


def list_partitions() -> list[Partition]:
    """Return every partition; empty where there is no Slurm."""
    said = _ask("sinfo", "--noheader", "--format=%R|%G|%l|%c|%a") or ""
    lines = (line.strip() for line in said.splitlines())
    rows = [line.split("|") for line in lines if line.count("|") == 4]
    return [Partition(r[0], r[1], r[2], r[3], r[4] == "up") for r in rows]


def find_faults(executor: ExecutorConfig) -> list[str]:
    """Return what an executor asks of its partition that is not there."""
    partitions = list_partitions()
    if not partitions or executor.partition is None:
        return []
    names = ", ".join(dict.fromkeys(p.name for p in partitions))
    asked = executor.partition.split(",")
    mine = [p for p in partitions if p.name in asked]
    missing = [name for name in asked if name not in {p.name for p in mine}]
    if missing:
        return [f"there is no partition {', '.join(missing)}; it has {names}"]
    faults = []
    if not any(p.is_up for p in mine):
        faults.append(f"partition {executor.partition} is down")
    if executor.gpus_per_node and not any("gpu" in p.gres for p in mine):
        with_gpus = dict.fromkeys(p.name for p in partitions if "gpu" in p.gres)
        faults.append(
            f"gpus_per_node is {executor.gpus_per_node}, but partition "
            f"{executor.partition} has no GPUs; "
            f"with GPUs: {', '.join(with_gpus) or 'none'}"
        )
    limits = [_seconds(p.time_limit) for p in mine]
    if limits and None not in limits:
        longest = max(limit for limit in limits if limit is not None)
        if executor.walltime_seconds > longest:
            faults.append(
                f"walltime is {executor.walltime}, but partition {executor.partition} "
                f"ends jobs after {_clock(longest)}"
            )
    return faults


def refuse_script(script: str) -> str | None:
    """Return why Slurm would refuse a script, None if it would take it."""
    if shutil.which("sbatch") is None:
        return None
    with tempfile.TemporaryDirectory(prefix="weft-") as folder:
        path = Path(folder) / "script.sh"
        path.write_text(script, encoding="utf-8")
        try:
            done = subprocess.run(
                ["sbatch", "--test-only", str(path)],
                capture_output=True, encoding="utf-8", errors="surrogateescape",
                check=False, timeout=_SECONDS,
            )  # fmt: skip
        except (OSError, subprocess.TimeoutExpired) as error:
            return f"sbatch does not answer: {error}"
    return None if done.returncode == 0 else (done.stderr or done.stdout).strip()


def ask_job(job_id: str) -> tuple[str, str]:
    """Return state and reason of a job, such as PENDING and Priority; else empty."""
    said = _ask(
        "squeue", "--noheader", "--states=all", "--format=%T|%r", f"--jobs={job_id}"
    )
    state, _, reason = (said or "").strip().partition("|")
    return state, reason


def _ask(*command: str) -> str | None:
    if shutil.which(command[0]) is None:
        return None
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            encoding="utf-8",
            errors="surrogateescape",
            check=False,
            timeout=_SECONDS,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None


def _seconds(limit: str) -> int | None:
    """Read sinfo's days-hours:minutes:seconds; None where it is unlimited."""
    days, _, clock = limit.rpartition("-")
    parts = clock.split(":")
    if not all(part.isdigit() for part in parts):
        return None
    seconds = 0
    for part in parts:
        seconds = 60 * seconds + int(part)
    return seconds + 86400 * int(days or 0)


def _clock(seconds: int) -> str:
    return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"
