"""What the newest closed iteration of a WE stage looked like, for the status."""

from pathlib import Path
from typing import Any

from apps.science.files import read_json
from campaign.telling.words import number

WATCHED = (
    "n_segments", "n_bins_occupied", "ess", "weight_min", "weight_max", "pcoord_min",
    "pcoord_max", "flux", "segment_s", "idle_share", "n_blocks_rerun",
    "n_blocks_restored", "wall_s",
)  # fmt: skip


def read_last_iteration(folder: Path) -> dict[str, Any] | None:
    """Return n_iter and what is watched of the newest closed iteration.

    None before the first one; a value that an older journal lacks is left out.
    """
    newest = max((folder / "journal").glob("iter_*.json"), default=None)
    record = None if newest is None else read_json(newest)
    if record is None or "n_iter" not in record:
        return None
    summary = record.get("summary") or {}
    told = {name: summary[name] for name in WATCHED if name in summary}
    return {"n_iter": record["n_iter"], **told}


def read_summary(folder: Path) -> dict[str, Any]:
    """Return all that is noted of the newest closed iteration, {} before the first."""
    newest = max((folder / "journal").glob("iter_*.json"), default=None)
    record = None if newest is None else read_json(newest)
    found: dict[str, Any] = (record or {}).get("summary") or {}
    return found


def count_segments(folder: Path) -> int:
    """Return the segments of all closed iterations of a WE run."""
    records = (read_json(path) for path in (folder / "journal").glob("iter_*.json"))
    summaries = ((record or {}).get("summary") or {} for record in records)
    return sum(int(summary.get("n_segments", 0)) for summary in summaries)


def say_iteration(last: dict[str, Any]) -> str:
    """Return an iteration in a line: "iteration 3: 33 walkers, 9 bins, ESS 12.1"."""
    parts = []
    for name, form in (
        ("n_segments", "{} walkers"), ("n_bins_occupied", "{} bins"),
        ("ess", "ESS {:.1f}"), ("idle_share", "{:.0%} idle"),
    ):  # fmt: skip
        if last.get(name) is not None:
            parts.append(form.format(last[name]))
    fluxes = (last.get("flux") or {}).items()
    parts += [f"flux into {name} {number(value, 2)}" for name, value in fluxes]
    if last.get("n_blocks_rerun"):
        parts.append(f"blocks sent again: {last['n_blocks_rerun']}")
    return f"iteration {last['n_iter']}: {', '.join(parts)}"
