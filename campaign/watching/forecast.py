"""How long the stages at work, and the run, will take: said only with a ground for it.

The ground of a stage is its own progress in this start of the driver. A stage that has
not begun has one where another of its kind is known.
"""

from collections.abc import Sequence
from typing import Any

LEAST_NOTES = 3
LEAST_SPAN_S = 8.0
MOST_AHEAD = 25.0
"""Nothing is said of a time longer than so many times what has been seen."""
RECENT_S = 900.0


def seconds_left(notes: Sequence[dict[str, Any]], now: float) -> float | None:
    """Return the seconds a stage still needs, None where its notes are no ground.

    Parameters
    ----------
    notes
        Its progress in this start, oldest first: at (s), done, total.
    """
    recent = [n for n in notes if n["at"] >= now - RECENT_S]
    if len(recent) < LEAST_NOTES:
        recent = list(notes[-LEAST_NOTES:])
    recent = recent[-max(LEAST_NOTES, len(recent) // 2 + 1) :]  # rates change
    if len(recent) < LEAST_NOTES:
        return None
    first, last = recent[0], recent[-1]
    span = float(last["at"] - first["at"])
    gained = float(last["done"] - first["done"])
    if span < LEAST_SPAN_S or gained <= 0:
        return None
    left = (float(last["total"]) - float(last["done"])) * span / gained
    if left > MOST_AHEAD * span:
        return None
    return max(0.0, left - (now - float(last["at"])))


def forecast(
    stages: Sequence[dict[str, Any]], lefts: dict[str, float | None], now: float
) -> dict[str, Any] | None:
    """Return the seconds until the end of the run, and the stages not counted.

    None where a stage ahead that takes long has no ground. ``lefts`` holds what
    ``seconds_left`` said of each stage at work.
    """
    wholes: dict[str, list[float]] = {}
    for stage in stages:
        if whole := _whole(stage, lefts.get(stage["name"]), now):
            wholes.setdefault(stage["kind"], []).append(whole)
    at_work, ahead = [0.0], 0.0
    uncounted = []
    grounds = 0
    for stage in stages:
        name, state = stage["name"], stage["state"]
        if state == "done":
            continue
        left = lefts.get(name)
        if state == "running" and left is not None:
            at_work.append(left)
            grounds += 1
        elif state in {"queued", "waiting"} and stage["kind"] in wholes:
            ahead += max(wholes[stage["kind"]])
        elif stage["at_once"]:
            uncounted.append(name)
        else:
            return None
    if not grounds:
        return None
    return {"left_s": max(at_work) + ahead, "uncounted": uncounted}


def _whole(stage: dict[str, Any], left: float | None, now: float) -> float | None:
    """Return how long a stage takes or took in all, None if that is not known."""
    if stage["state"] == "done":
        seconds = stage["seconds"]
        return None if seconds is None else float(seconds)
    if stage["state"] == "running" and left is not None:
        return float(now - stage["started"] + left)
    return None
