"""How long the tasks of each stage took."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from campaign.watching.timeline import StageIdle, Task


def describe_tasks(
    tasks: Sequence[Task], idle: Sequence[StageIdle]
) -> dict[str, dict[str, Any]]:
    """Return, per stage, count, failures, median, 95th percentile, most (s), idle.

    Only task bodies that ended are noted; of those that failed only the number counts.
    """
    seconds: dict[str, list[float]] = defaultdict(list)
    failed: dict[str, int] = defaultdict(int)
    for task in tasks:
        if task.ok:
            seconds[task.stage].append(task.ended - task.started)
        else:
            failed[task.stage] += 1
    share = {s.stage: s.idle_share for s in idle}
    found = {}
    for stage in {**seconds, **failed}:
        taken = sorted(seconds.get(stage, ()))
        found[stage] = {
            "n": len(taken),
            "failed": failed.get(stage, 0),
            "median_s": quantile(taken, 0.5),
            "p95_s": quantile(taken, 0.95),
            "max_s": taken[-1] if taken else None,
            "idle_share": share.get(stage),
        }
    return found


def quantile(ordered: Sequence[float], share: float) -> float | None:
    """Return a quantile of sorted values, between neighbours; None of nothing."""
    if not ordered:
        return None
    place = share * (len(ordered) - 1)
    below = int(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (place - below) * (ordered[above] - ordered[below])
