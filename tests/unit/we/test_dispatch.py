"""Blocks that fail are sent again within the budget of their kind of failure."""

import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from apps.science.errors import (
    BlockTooLongError,
    ConfigError,
    DataError,
    NumericalError,
)
from apps.science.we.dispatch import Block, BlockRunner, Dispatch
from apps.science.we.failures import FailureBudgets, FailureKind, classify_failure
from apps.science.we.storage.shards import FinishedBlock, Origin, shard_path


def finish(block: Block) -> FinishedBlock:
    pcoord = np.zeros((len(block.seg_ids), 1, 1))
    return FinishedBlock(
        block.n_iter, block.seg_ids, block.parent_ids, str(block.out), pcoord, 0.0, ""
    )


def make_blocks(n_blocks: int, size: int = 4) -> list[Block]:
    return [
        Block(
            1, (ids := list(range(k * size, (k + 1) * size))), [-1] * size,
            [Origin(None, 0)] * size, shard_path(Path("shards"), 1, ids[0]),
        )
        for k in range(n_blocks)
    ]  # fmt: skip


def run(
    work: Callable[[Block], FinishedBlock], blocks: list[Block], **budgets: int
) -> tuple[list[FinishedBlock], BlockRunner]:
    with ThreadPoolExecutor(2) as pool:
        runner = BlockRunner(
            Dispatch(
                lambda block: pool.submit(work, block), lambda n: 4, lambda r: None,
                lambda *_: None, budgets=FailureBudgets(**budgets),
            )
        )  # fmt: skip
        return list(runner.run(blocks)), runner


def seg_ids(found: list[FinishedBlock]) -> list[int]:
    return sorted(s for block in found for s in block.seg_ids)


def test_a_block_out_of_memory_is_halved_until_it_fits() -> None:
    def work(block: Block) -> FinishedBlock:
        if len(block.seg_ids) > 2:
            np.empty(1 << 55)  # more than any machine has
        return finish(block)

    found, runner = run(work, make_blocks(2, size=8))
    assert seg_ids(found) == list(range(16))
    assert {len(block.seg_ids) for block in found} == {2}
    assert runner.n_rerun == 6
    names = {Path(block.path).name: block.seg_ids[0] for block in found}
    assert names == {f"seg_{first:06d}.h5": first for first in range(0, 16, 2)}


def test_a_single_segment_out_of_memory_is_given_up() -> None:
    def work(block: Block) -> FinishedBlock:
        raise MemoryError("cannot allocate memory")

    with pytest.raises(MemoryError):
        run(work, make_blocks(1, size=1))


@pytest.mark.parametrize("error", [DataError("gone"), NumericalError("NaN")])
def test_what_would_fail_again_is_not_sent_again(error) -> None:
    calls: Counter[int] = Counter()

    def work(block: Block) -> FinishedBlock:
        calls[block.seg_ids[0]] += 1
        if block.seg_ids[0] == 4:
            raise error
        return finish(block)

    with pytest.raises(type(error), match=str(error)):
        run(work, make_blocks(3))
    assert calls == {0: 1, 4: 1, 8: 1}


def test_any_other_error_has_its_own_budget() -> None:
    calls: Counter[int] = Counter()

    def work(block: Block) -> FinishedBlock:
        calls[block.seg_ids[0]] += 1
        if block.seg_ids[0] == 4:
            raise OSError("stale file handle")
        return finish(block)

    with pytest.raises(OSError, match="stale"):
        run(work, make_blocks(3), other=2, lost=9)
    assert calls == {0: 1, 4: 3, 8: 1}


def test_one_failed_block_does_not_drop_the_others() -> None:
    seen: list[int] = []

    def work(block: Block) -> FinishedBlock:
        if block.seg_ids[0] == 0:
            raise DataError("gone")
        time.sleep(0.05)
        return finish(block)

    with ThreadPoolExecutor(2) as pool:
        runner = BlockRunner(
            Dispatch(lambda b: pool.submit(work, b), lambda n: 4, print, print)
        )
        with pytest.raises(DataError):
            seen.extend(block.seg_ids[0] for block in runner.run(make_blocks(5)))
    assert sorted(seen) == [4, 8, 12, 16]


def die_once(folder: str, block: Block) -> FinishedBlock:
    flag = Path(folder) / "died"
    if block.seg_ids[0] == 4 and not flag.exists():
        flag.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return finish(block)


def test_a_killed_worker_costs_its_block_one_loss(tmp_path) -> None:
    pools: list[ProcessPoolExecutor] = []

    def submit(block: Block) -> Future[Any]:
        if not pools or pools[-1]._broken:
            pools.append(ProcessPoolExecutor(1))
        return pools[-1].submit(die_once, str(tmp_path), block)

    runner = BlockRunner(Dispatch(submit, lambda n: 4, print, lambda *_: None))
    try:
        assert seg_ids(list(runner.run(make_blocks(3)))) == list(range(12))
    finally:
        for pool in pools:
            pool.shutdown()
    assert runner.n_rerun >= 1


def test_who_straggles_is_said() -> None:
    said: list[str] = []
    free = threading.Event()

    def work(block: Block) -> FinishedBlock:
        if block.seg_ids[0] == 8:
            free.wait(5)
        return finish(block)

    def on_wait(words: str) -> None:
        said.append(words)
        free.set()

    with ThreadPoolExecutor(2) as pool:
        runner = BlockRunner(
            Dispatch(
                lambda b: pool.submit(work, b), lambda n: 4, print, print,
                on_wait=on_wait,
            ),
            look_every_s=0.02,
        )  # fmt: skip
        list(runner.run(make_blocks(3)))
    assert "segments 8 to 11 of iteration 1" in said[0]


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (NumericalError("NaN"), FailureKind.NUMERICAL),
        (ConfigError("no"), FailureKind.BAD_INPUT),
        (MemoryError(), FailureKind.OUT_OF_MEMORY),
        (RuntimeError("CUDA out of memory. Tried"), FailureKind.OUT_OF_MEMORY),
        (BrokenProcessPool("x"), FailureKind.LOST),
        (ValueError("x"), FailureKind.OTHER),
    ],
)
def test_failures_are_told_apart(error, kind) -> None:
    assert classify_failure(error) is kind


def test_parsls_lost_workers_are_known_by_name() -> None:
    errors = pytest.importorskip("parsl.executors.high_throughput.errors")
    assert classify_failure(errors.ManagerLost(b"m", "host")) is FailureKind.LOST
    assert classify_failure(errors.WorkerLost(1, "host")) is FailureKind.LOST


def test_a_block_that_its_batch_job_would_cut_is_sent_in_halves() -> None:
    def work(block: Block) -> FinishedBlock:
        if len(block.seg_ids) > 1:
            raise BlockTooLongError("ends too soon")
        return finish(block)

    found, _ = run(work, make_blocks(1, size=8))
    assert seg_ids(found) == list(range(8))
    assert {len(block.seg_ids) for block in found} == {1}
