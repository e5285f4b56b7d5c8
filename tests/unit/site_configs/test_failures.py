"""Lost workers spend a tenth of a task's budget, its own error all of it."""

import pytest
from parsl.executors.high_throughput.errors import ManagerLost, WorkerLost

from apps.science.errors import (
    CommandError,
    KilledError,
    LeftUnfinishedError,
    NumericalError,
)
from site_configs.pools.failures import BUDGET, make_retry_handler
from site_configs.schema import Retries


def _tries(error: Exception, retries: Retries) -> int:
    """Count the runs Parsl would make of a task that always fails with ``error``."""
    handler, spent, runs = make_retry_handler(retries), 0.0, 0
    while spent <= BUDGET:
        runs += 1
        spent += handler(error, None)
    return runs


@pytest.mark.parametrize(
    "error", [WorkerLost(0, "n1"), ManagerLost(b"m", "n1"), KilledError("by others")]
)
@pytest.mark.parametrize("lost_workers", [0, 3, 10])
def test_a_task_survives_as_many_lost_workers_as_the_site_says(
    error: Exception, lost_workers: int
) -> None:
    assert _tries(error, Retries(lost_workers=lost_workers)) == lost_workers + 1


def test_an_error_that_would_come_again_ends_its_task_at_once() -> None:
    assert _tries(NumericalError("NaN"), Retries(task_errors=7)) == 1


def test_a_command_that_left_a_checkpoint_goes_on_in_another_block() -> None:
    assert _tries(LeftUnfinishedError("stopped"), Retries()) > 100
    assert _tries(CommandError("exit status 1"), Retries()) == 1


@pytest.mark.parametrize("task_errors", [0, 1, 7])
def test_a_task_that_fails_by_itself_has_its_own_budget(task_errors: int) -> None:
    assert _tries(ValueError("x"), Retries(task_errors=task_errors)) == task_errors + 1
