"""Workers, pools and blocks that stood still: what was noted of them, in sentences."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from campaign.telling.words import about

STUCK_EVENTS = ("worker_stuck", "pool_left", "block_stuck")
SHOWN = 3


def list_stuck(events: Sequence[dict[str, Any]], since: Sequence[float]) -> list[str]:
    """Return what stood still in this start, the latest last, with its time.

    Parameters
    ----------
    since : when the start began, (0 or 1)
    """
    found: dict[tuple[Any, ...], str] = {}
    for event in events:
        if event["event"] in STUCK_EVENTS and event["time"] >= max([0.0, *since]):
            key = tuple(event.get(k) for k in ("host", "pid", "executor", "block"))
            when = datetime.fromtimestamp(event["time"]).astimezone()
            found.pop(key, None)
            found[key] = f"{when:%H:%M}: {say_stuck(event)}"
    return list(found.values())[-SHOWN:]


def say_stuck(event: dict[str, Any]) -> str:
    """Return what stands still and what becomes of it, as a sentence."""
    kind = event["event"]
    if kind == "block_stuck":
        return (
            f"block {event['block']} (job {event['job_id']}) of executor "
            f"{event['executor']} still runs, but its workers are not heard of: it is "
            "ended, and its tasks are given to others"
        )
    if kind == "pool_left":
        return (
            f"a pool of workers on {event['host']} has ended, since {event['why']}; "
            "its tasks are given to others"
        )
    still = f"worker {event['pid']} on {event['host']} {event['why']}"
    for_s = f"for {about(event['seconds'])} now"
    if event["over"]:
        return f"{still}, {for_s}: it was ended, and its task is given to another"
    return f"{still}, {for_s}; it is ended if that goes on for as long again"
