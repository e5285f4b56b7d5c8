"""What a failure costs: a lost worker little, a task's own error its whole budget."""

from collections.abc import Callable, Mapping
from typing import Any

from parsl.executors.high_throughput.errors import ManagerLost, WorkerLost
from parsl.executors.status_handling import BlockProviderExecutor
from parsl.jobs.errors import TooManyJobFailuresError
from parsl.jobs.states import JobState, JobStatus

from site_configs.schema import Retries

BUDGET = 1
"""Parsl tries a task again while the summed cost is at most this."""

MOST_CONTINUATIONS = 1000

UNSTARTED_BLOCKS = 3
"""Blocks in a row that never register before an executor is given up."""


def make_retry_handler(retries: Retries) -> Callable[[Exception, Any], float]:
    """Return Parsl's retry handler: the cost of one failure of one task.

    An error whose ``worth_retrying`` is false ends its task at once; one whose
    ``costs_nothing`` is true, as of work that left a checkpoint, may be tried again
    many times; one whose ``counts_as_lost`` is true costs what a lost worker does.
    """

    def cost(error: Exception, _task: Any) -> float:
        if not getattr(error, "worth_retrying", True):
            return BUDGET + 1.0
        if getattr(error, "costs_nothing", False):
            return BUDGET / MOST_CONTINUATIONS
        lost = isinstance(error, (ManagerLost, WorkerLost)) or getattr(
            error, "counts_as_lost", False
        )
        tries = retries.lost_workers if lost else retries.task_errors
        # a hair under 1/n, so that n rounded terms never exceed the budget
        return (1 - 1e-9) * BUDGET / tries if tries else BUDGET + 1.0

    return cost


def give_up_unstarted(
    executor: BlockProviderExecutor, status: Mapping[str, JobStatus]
) -> None:
    """Fail an executor whose latest blocks all ended before a worker registered.

    That includes blocks that the scheduler refused, which Parsl would offer it again
    four times a second. Blocks that worked and then died (preemption, a dead node,
    walltime) never count: the retry budgets of their tasks decide about those.
    """
    latest = sorted(status, key=int)[-UNSTARTED_BLOCKS:]
    submitted = executor.blocks_to_job_id
    if len(latest) == UNSTARTED_BLOCKS and all(
        status[block].state == JobState.MISSING
        or (status[block].state == JobState.FAILED and block not in submitted)
        for block in latest
    ):
        executor.set_bad_state_and_fail_all(
            TooManyJobFailuresError(
                f"The last {UNSTARTED_BLOCKS} blocks of executor {executor.label} "
                f"ended before a worker started. The last one said:\n"
                f"{_last_words(status[latest[-1]])}"
            )
        )


def _last_words(block: JobStatus) -> str:
    parts = [block.message, block.stdout_summary, block.stderr_summary]
    return "\n".join(part.strip() for part in parts if part) or "nothing"
