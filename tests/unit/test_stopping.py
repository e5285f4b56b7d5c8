"""Nothing begins that the end of its batch job would cut."""

import os
import signal
import time
from types import FrameType

import pytest

from apps.science.errors import BlockEndsError, BlockTooLongError
from apps.science.stopping import DRAIN_SIGNAL, POOL_VARIABLE, begin_only_if_it_ends
from apps.science.we import block
from site_configs.pools import worker_pool


@pytest.fixture
def drained(monkeypatch):
    """Let this process be the pool; return the signals it was sent."""
    found: list[int] = []

    def note(signum: int, _frame: FrameType | None) -> None:
        found.append(signum)

    before = signal.signal(DRAIN_SIGNAL, note)
    monkeypatch.setenv("WEFT_POOL_PID", str(os.getpid()))
    yield found
    signal.signal(DRAIN_SIGNAL, before)


def test_where_no_job_ends_everything_begins(monkeypatch, drained) -> None:
    monkeypatch.delenv("WEFT_BLOCK_ENDS", raising=False)
    begin_only_if_it_ends(1e9, "A year's work", divisible=False)
    assert not drained


def test_work_that_fits_begins(monkeypatch, drained) -> None:
    monkeypatch.setenv("WEFT_BLOCK_ENDS", str(time.time() + 20))
    begin_only_if_it_ends(10, "Work", divisible=False)
    assert not drained


def test_work_that_does_not_fit_goes_to_the_next_job_and_this_one_ends(
    monkeypatch, drained
) -> None:
    monkeypatch.setenv("WEFT_BLOCK_ENDS", str(time.time() + 20))
    with pytest.raises(BlockEndsError, match=r"takes about 30 s; .* ends in 20 s"):
        begin_only_if_it_ends(30, "A segment", divisible=False)
    assert drained == [DRAIN_SIGNAL]


def test_what_can_be_divided_leaves_the_job_to_its_parts(monkeypatch, drained) -> None:
    monkeypatch.setenv("WEFT_BLOCK_ENDS", str(time.time() + 20))
    with pytest.raises(BlockTooLongError):
        begin_only_if_it_ends(30, "A block of 6 segments", divisible=True)
    assert not drained


def test_a_pool_that_is_gone_is_no_trouble(monkeypatch) -> None:
    monkeypatch.setenv("WEFT_BLOCK_ENDS", str(time.time() - 1))
    monkeypatch.setenv("WEFT_POOL_PID", str(2**22 + 1))  # above any process's id
    with pytest.raises(BlockEndsError):
        begin_only_if_it_ends(0, "A segment", divisible=False)


def test_both_sides_mean_the_same_signal() -> None:
    assert worker_pool.DRAIN_SIGNAL == DRAIN_SIGNAL
    assert worker_pool.POOL_VARIABLE == POOL_VARIABLE
    assert block.LATE_BY > 1
