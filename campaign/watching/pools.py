"""Workers, blocks and failed tries of a run, from what its drivers noted."""

import re
from collections import Counter
from collections.abc import Sequence
from typing import Any

from campaign.watching.notes import BLOCK_STATES, ENDED, LOST

TRIES = ("lost", "continued", "error", "failed")
"""Kinds of failed tries: the worker was lost; the task left a checkpoint and goes on;
its own error, tried again; its own error, given up."""


_REFUSED = re.compile(r"^StoppedError|^BashExitFailure.*\b4\)$")
"""The second in the notes of version 0.1, whose training was a bash app."""


def describe_pools(now: dict[str, Any]) -> list[dict[str, Any]]:
    """Return each pool of workers: roles, workers, busy, idle, tasks that wait."""
    pools = []
    for pool in now.get("pools", []):
        workers, busy = pool["workers"], pool["busy"]
        told = {key: pool[key] for key in ("executor", "roles", "workers", "busy")}
        told["idle"] = None if workers is None else workers - busy
        told |= {"waiting": pool["waiting"], "given": pool["given"]}
        blocks = pool["blocks"]
        if blocks is not None:
            count = Counter(b["state"] for b in blocks)
            told["blocks"] = {state: count[state] for state in BLOCK_STATES}
        pools.append(told)
    return pools


def count_blocks(
    events: Sequence[dict[str, Any]], starts: Sequence[float], alive: bool
) -> dict[str, int] | None:
    """Return how many blocks are queued, running, lost or ended, all starts together.

    Blocks of an earlier driver, or of one that is gone, have ended if nothing worse
    is known. None where no driver noted any.
    """
    last: dict[tuple[int, str, str], str] = {}
    for event in events:
        if event["event"] == "block":
            key = (_count(starts, event["time"]), event["executor"], event["block"])
            last[key] = event["state"]
    if not last:
        return None
    found = Counter(
        state if (alive and start == len(starts)) or state == LOST else ENDED
        for (start, _, _), state in last.items()
    )
    return {state: found[state] for state in BLOCK_STATES}


def count_tries(
    events: Sequence[dict[str, Any]], noted: bool
) -> dict[str, dict[str, int]] | None:
    """Return failed tries by kind, under "all" and per stage.

    Tasks that were refused because a stop was asked for are none. None for a run whose
    drivers noted none because they were of an older version.
    """
    if not noted:
        return None
    found: dict[str, Counter[str]] = {"all": Counter()}
    for event in events:
        refused = _REFUSED.match(str(event.get("error", "")))
        if event["event"] != "try_failed" or refused:
            continue
        kind = str(event["kind"])
        if not event["again"]:
            kind = "failed"
        for name in ("all", str(event["stage"])):
            found.setdefault(name, Counter())[kind] += 1
    return {name: {k: count[k] for k in TRIES} for name, count in found.items()}


def _count(starts: Sequence[float], when: float) -> int:
    """Return which start, from 1, ``when`` belongs to."""
    return sum(begin <= when for begin in starts)
