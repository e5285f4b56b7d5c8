"""Advance weighted-ensemble segments, a block at a time."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from parsl import python_app

from apps.roles import MD
from apps.task_log import logged

if TYPE_CHECKING:
    from apps.science.we.storage.shards import FinishedBlock


@python_app(executors=[MD])
@logged(MD)
def propagate_block(
    spec: Path, n_iter: int, seg_ids: list[int], parent_ids: list[int],
    origins: list[tuple[str | None, int]], out: Path, stage: str = "sample",
) -> "FinishedBlock":  # fmt: skip
    """Propagate a block of segments and write their shard to ``out``."""
    from apps.science.we.block import propagate_block as propagate
    from apps.science.we.storage.shards import Origin

    return propagate(
        spec, n_iter, seg_ids, parent_ids, [Origin(*o) for o in origins], out
    )


@python_app(executors=[MD])
@logged(MD)
def time_segment(spec: Path, stage: str = "sample") -> float:
    """Return how long one segment takes on a worker, s."""
    from apps.science.we.pace import time_segment as measure

    return measure(spec)


@python_app(executors=[MD])
@logged(MD)
def compute_start_pcoords(
    spec: Path, stage: str = "sample", inputs: tuple[Any, ...] = ()
) -> list[list[float]]:
    """Return the progress coordinate of each starting state."""
    from apps.science.we.block import compute_start_pcoords as compute

    return compute(spec)
