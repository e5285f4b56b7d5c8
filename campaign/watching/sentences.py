"""What monitoring found, in the words that the terminal and the page share."""

import time
from typing import Any

from apps.science.disk import say_bytes
from campaign.telling.words import about, count, duration, joined


def say_left(status: dict[str, Any]) -> str:
    """Return the time left where there is ground for it, else ""."""
    ahead = status["forecast"]
    if ahead is None:
        return ""
    less = [name.replace("_", " ") for name in ahead["uncounted"]]
    rest = f", not counting {joined(less)}" if less else ""
    return f"about {about(ahead['left_s'])} left{rest}"


def say_pool(pool: dict[str, Any]) -> str:
    """Return "2 of 4 workers busy, 3 tasks wait; 1 block running"."""
    if pool["workers"] is None:
        return f"{count(pool['given'], 'task')} given; it does not say what workers do"
    parts = [f"{pool['busy']} of {count(pool['workers'], 'worker')} busy"]
    if pool["waiting"]:
        parts.append(
            f"{count(pool['waiting'], 'task')} wait{'s' * (pool['waiting'] == 1)}"
        )
    said = ", ".join(parts)
    blocks = say_blocks(pool.get("blocks") or {}, ("queued", "running", "lost"))
    return f"{said}; {blocks}" if blocks else said


def say_blocks(blocks: dict[str, int], states: tuple[str, ...]) -> str:
    """Return "1 block running, 2 queued", "" where there is none."""
    present = [(blocks[s], s) for s in states if blocks.get(s)]
    if not present:
        return ""
    (first, state), *rest = present
    more = [f"{n} {name}" for n, name in rest]
    return ", ".join([f"{count(first, 'block')} {state}", *more])


def say_tries(tries: dict[str, int]) -> str:
    """Return what became of failed tries, "none" where there was none."""
    parts = []
    for kind, one, many in (
        ("lost", "task lost its worker and was", "tasks lost their workers and were"),
        ("error", "task failed and was", "tasks failed and were"),
    ):
        if number := tries[kind]:
            parts.append(f"{number} {one if number == 1 else many} tried again")
    if tries["continued"]:
        parts.append(f"{count(tries['continued'], 'time')} continued from a checkpoint")
    if tries["failed"]:
        parts.append(f"{count(tries['failed'], 'task')} given up")
    return "; ".join(parts) or "none"


def say_hours(hours: dict[str, float | None]) -> str:
    """Return "3.2 core hours in tasks (4.1 held by workers), ..."."""
    parts = []
    for key, unit in (("core", "core"), ("gpu", "GPU")):
        used, held = hours[key], hours[f"{key}_held"]
        if key == "gpu" and not used and not held:
            continue
        text = f"{_hours(used or 0.0)} {unit} hours in tasks"
        if held:
            text += f" ({_hours(held)} held by workers)"
        parts.append(text)
    return ", ".join(parts)


def say_running(tasks: list[dict[str, Any]], now: float | None = None) -> list[str]:
    """Return what runs now, tasks that are alike together: "2 train_model, 40 s"."""
    now = time.time() if now is None else now
    groups: dict[tuple[str, str], list[float]] = {}
    for task in tasks:
        groups.setdefault((task["app"], task["stage"]), []).append(now - task["since"])
    lines = []
    for (app, stage), ages in groups.items():
        many = f"{len(ages)} \N{MULTIPLICATION SIGN} " if len(ages) > 1 else ""
        where = f" ({stage})" if stage else ""
        lines.append(f"{many}{app}{where}, {duration(max(0.0, *ages))}")
    return lines


def _hours(value: float) -> str:
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def say_estimate(found: dict[str, Any], seconds: float | None) -> str:
    """Return how a stage compares with what was expected of it, "" where nothing is.

    Parameters
    ----------
    found : of ``estimate.kept.compare``
    seconds : how long the stage took, or has taken so far
    """
    parts = []
    if found["expected_s"] is not None and seconds is not None:
        expected, taken = about(found["expected_s"]), about(seconds)
        parts.append(f"{taken}, where at most {expected} were expected")
    if found["n_segments"] is not None:
        parts.append(
            f"{found['n_segments']:,} segments in all at this pace, of at most "
            f"{found['most_segments']:,}; about {say_bytes(found['n_bytes'])} on disk"
        )
    return "; ".join(parts)
