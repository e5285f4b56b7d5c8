"""Send blocks of segments out, collect them as they finish, try failures again.

One failed block never drops the others: what else is on its way is collected first.
"""

import logging
import statistics
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

from apps.science.we.failures import FailureBudgets, FailureKind, classify_failure
from apps.science.we.storage.journal import IterationRecord
from apps.science.we.storage.shards import FinishedBlock, Origin, shard_path

log = logging.getLogger(__name__)

LOOK_EVERY_S = 5.0
STRAGGLES_AFTER = 3.0
"""A wait of so many usual blocks, and never less than one look, is remarked."""


@dataclass(frozen=True)
class Block:
    """One task: segments of one iteration that are propagated together."""

    n_iter: int
    seg_ids: list[int]
    parent_ids: list[int]
    origins: list[Origin]
    out: Path

    def halves(self) -> list["Block"]:
        """Return the block as two, for less memory or time; a lone segment as it is."""
        if len(self.seg_ids) == 1:
            return [self]
        middle = len(self.seg_ids) // 2
        return [
            Block(
                self.n_iter, self.seg_ids[part], self.parent_ids[part],
                self.origins[part],
                shard_path(self.out.parent.parent, self.n_iter, self.seg_ids[part][0]),
            )
            for part in (slice(0, middle), slice(middle, None))
        ]  # fmt: skip

    def __str__(self) -> str:
        """Name the block as messages do."""
        first, last = self.seg_ids[0], self.seg_ids[-1]
        return f"segments {first} to {last} of iteration {self.n_iter}"


@dataclass(frozen=True)
class Dispatch:
    """How a run reaches its workers and whom it tells.

    Attributes
    ----------
    submit : sends a block; its future holds the FinishedBlock
    block_size : the segments a block gets, from the number to propagate
    on_iteration : called with each closed iteration
    on_block : called with n_iter, segments finished, segments in all
    on_wait : called with what is waited for when a block straggles
    """

    submit: Callable[[Block], "Future[Any]"]
    block_size: Callable[[int], int]
    on_iteration: Callable[[IterationRecord], None]
    on_block: Callable[[int, int, int], None]
    on_wait: Callable[[str], None] = lambda said: None
    n_slots: int = 1
    budgets: FailureBudgets = field(default_factory=FailureBudgets)


@dataclass
class _Sent:
    """A block on its way, and the failures that it or its halves have had."""

    block: Block
    failures: Counter[FailureKind]


class BlockRunner:
    """Runs the blocks of one iteration; counts what had to be sent again.

    Parameters
    ----------
    look_every_s
        How often to look, while waiting, whether a block straggles.
    """

    def __init__(self, dispatch: Dispatch, look_every_s: float = LOOK_EVERY_S) -> None:
        self.dispatch = dispatch
        self.look_every_s = look_every_s
        self.n_rerun = 0
        self._pending: dict[Future[Any], _Sent] = {}
        self._arrived: SimpleQueue[Future[Any]] = SimpleQueue()
        self._seconds: list[float] = []
        self._error: BaseException | None = None

    def run(self, blocks: list[Block]) -> Iterator[FinishedBlock]:
        """Yield each block as it finishes.

        Raises
        ------
        BaseException
            What ended the first block whose budget is spent, once all the others
            have been yielded.
        """
        for block in blocks:
            self._send(block, Counter())
        n_failed = 0
        while self._pending:
            future = self._wait()
            sent = self._pending.pop(future)
            error = future.exception()
            if error is None:
                finished = future.result()
                self._seconds.append(finished.seconds)
                yield finished
            elif not self._try_again(sent, error):
                n_failed += 1
                self._error = self._error or error
        if self._error is not None:
            log.info("%d of %d blocks did not finish", n_failed, len(blocks))
            raise self._error

    def _send(self, block: Block, failures: Counter[FailureKind]) -> None:
        future = self.dispatch.submit(block)
        self._pending[future] = _Sent(block, failures)
        future.add_done_callback(self._arrived.put)

    def _wait(self) -> "Future[Any]":
        """Return the next finished future; remark on what takes long."""
        began = remarked = time.monotonic()
        while True:
            try:
                return self._arrived.get(timeout=self.look_every_s)
            except Empty:
                now = time.monotonic()
            usual = statistics.median(self._seconds) if self._seconds else None
            late = usual is not None and now - began > STRAGGLES_AFTER * usual
            if late and len(self._pending) <= self.dispatch.n_slots:
                waited = ", ".join(str(sent.block) for sent in self._pending.values())
                said = f"for {now - began:.0f} s (usually {usual:.1f} s): {waited}"
                self.dispatch.on_wait(said)
                if now - remarked >= usual * STRAGGLES_AFTER:  # type: ignore[operator]
                    log.warning("waiting %s", said)
                    remarked = now

    def _try_again(self, sent: _Sent, error: BaseException) -> bool:
        """Send a failed block again if its budget allows; say what happened."""
        kind = classify_failure(error)
        failures = sent.failures + Counter([kind])
        allowed = self.dispatch.budgets.allowed(kind)
        single = len(sent.block.seg_ids) == 1
        too_large = kind is FailureKind.OUT_OF_MEMORY
        halve = too_large or kind is FailureKind.OUT_OF_TIME
        again = failures[kind] <= allowed and not (too_large and single)
        expected = kind in (FailureKind.STOPPED, FailureKind.OUT_OF_TIME)
        level = logging.DEBUG if expected else logging.WARNING
        log.log(
            level, "%s failed (%s, %d of %d): %s; %s", sent.block, kind, failures[kind],
            allowed, error, "sent again" if again else "given up",
        )  # fmt: skip
        if not again:
            return False
        self.n_rerun += 1
        for block in sent.block.halves() if halve else [sent.block]:
            self._send(block, failures)
        return True


def block_sizer(
    size: int | str, n_workers: int, per_worker: int
) -> Callable[[int], int]:
    """Return the rule that gives a block's size for a number of segments."""

    def choose(n_segments: int) -> int:
        if isinstance(size, int):
            return size
        return max(1, -(-n_segments // (n_workers * per_worker)))

    return choose
