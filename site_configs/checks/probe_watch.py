"""Why a probe does not come back, from the scheduler's, the job's, the pool's words."""

import time
from pathlib import Path
from typing import Any

from site_configs.checks import ask_slurm
from site_configs.checks.explain import HOPELESS, advise, explain
from site_configs.schema import Site

REGISTER_SECONDS = 50.0
"""From the start of a job until a pool must have reported; it tries for 30 s."""
ANSWER_SECONDS = 180.0
"""From then until the answer: torch may load slowly from a busy file system."""
ASK_SECONDS = 2.0
_ENDED = (
    "COMPLETED", "FAILED", "CANCELLED", "TIMEOUT", "MISSING", "NODE_FAIL", "BOOT_FAIL",
    "OUT_OF_MEMORY", "DEADLINE", "PREEMPTED", "SCALED_IN",
)  # fmt: skip
_TAIL_BYTES = 20_000


class Trouble:
    """What is known of one role's probe so far."""

    def __init__(self, site: Site, role: str, wait_s: float) -> None:
        name = site.executor_of(role)
        executor = site.executors.get(name or "")
        self.scheduler = executor.scheduler if executor else ""
        self.wait_s = wait_s
        self.since: dict[str, float] = {}
        self.job = ("", "")
        self.asked = 0.0

    def lasted(self, phase: str) -> float:
        """Return the seconds since a phase was first seen."""
        now = time.monotonic()
        return now - self.since.setdefault(phase, now)


def find_trouble(probe: Trouble, executor: Any) -> tuple[str, str]:
    """Return what a probe waits for, and why it waits in vain (empty if it may come).

    Parameters
    ----------
    executor
        The Parsl executor that has the task.
    """
    if not hasattr(executor, "blocks_to_job_id"):  # an endpoint, or threads
        over = probe.lasted("sent") > probe.wait_s + ANSWER_SECONDS
        return "sent", "No answer from the endpoint." if over else ""
    refused = [status.message or "" for status in executor._simulated_status.values()]
    if refused or executor.bad_state_is_set:
        said = refused[-1] if refused else str(executor.executor_exception)
        return "refused", _refusal(said)
    jobs = list(executor.blocks_to_job_id.values())
    if not jobs:
        over = probe.lasted("starting") > REGISTER_SECONDS
        return "starting", "Parsl asked for no block." if over else ""
    if executor.connected_managers():
        over = probe.lasted("at work") > ANSWER_SECONDS
        return "at work", f"No answer in {ANSWER_SECONDS:.0f} s." if over else ""
    return _look_at_job(probe, executor, str(jobs[0]))


def _look_at_job(probe: Trouble, executor: Any, job_id: str) -> tuple[str, str]:
    if time.monotonic() - probe.asked > ASK_SECONDS:
        probe.asked = time.monotonic()
        probe.job = _ask(probe, executor, job_id)
    state, reason = probe.job
    said = read_words(executor, job_id)
    if state in _ENDED:
        if probe.lasted("ended") < 2 * ASK_SECONDS:  # its last words may be late
            return "ended", ""
        end = f"The job ended ({state.lower()}) before a worker started."
        if probe.scheduler != "slurm":  # Slurm's is a code, others' a sentence
            said = f"{reason}\n{said}"
        return "ended", f"{end}\n{explain(said)}"
    if state == "PENDING":
        return f"queued {reason}".strip().removesuffix(" None"), _queued(probe, reason)
    if probe.lasted("started") > REGISTER_SECONDS:
        return "started", (
            f"The job runs, but no worker reported in {REGISTER_SECONDS:.0f} s.\n"
            f"{explain(said)}"
        )
    return "started", ""


def _queued(probe: Trouble, reason: str) -> str:
    """Return why waiting longer is no use; empty while it may be."""
    if reason in HOPELESS:
        return f"The job will not start: {reason}. {advise(reason)}".strip()
    if probe.lasted("queued") <= probe.wait_s:
        return ""
    why = f" ({reason})" if reason not in ("", "None") else ""
    return (
        f"Still queued after {probe.wait_s:.0f} s{why}. That is no fault: run the "
        "check again with a longer --wait, or when the queue is shorter."
    )


def _ask(probe: Trouble, executor: Any, job_id: str) -> tuple[str, str]:
    """Return state and reason of a job."""
    if probe.scheduler == "slurm":
        answer = ask_slurm.ask_job(job_id)
        if answer[0]:
            return answer
    status = executor.provider.status([job_id])[0]
    return str(status.state.name), status.message or ""


def read_words(executor: Any, job_id: str) -> str:
    """Return what a block's job and its pool have said so far."""
    job = executor.provider.resources.get(job_id, {})
    script = str(job.get("script_path") or "")
    paths = [job.get("job_stdout_path"), job.get("job_stderr_path")]
    paths += [f"{script}.out", f"{script}.err"] if script else []
    logs = sorted(Path(executor.logdir).glob("block-*/*/manager.log"))
    return "\n".join(_tail(Path(p)) for p in [*logs, *paths] if p)


def read_stderr(executor: Any) -> str:
    """Return what the jobs of an executor wrote to their standard error."""
    provider = getattr(executor, "provider", None)
    jobs = getattr(provider, "resources", {}).values()
    paths = [job.get("job_stderr_path") for job in jobs]
    return "\n".join(_tail(Path(path)) for path in paths if path)


def _tail(path: Path) -> str:
    try:
        with path.open("rb") as data:
            data.seek(max(0, path.stat().st_size - _TAIL_BYTES))
            return data.read().decode(errors="replace")
    except OSError:
        return ""


def _refusal(message: str) -> str:
    """Return the scheduler's words out of Parsl's."""
    said = message.partition("stderr=")[2] or message
    return f"The job was refused.\n{explain(said)}"
