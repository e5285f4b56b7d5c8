"""Closed WE iterations as the journal has them, whichever version wrote it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from apps.science.arrays import Array
from apps.science.files import read_json


@dataclass(frozen=True)
class Iteration:
    """One closed iteration.

    Attributes
    ----------
    weights : (n_segments,)
    shards, rows : where each segment lies; paths are relative to the WE folder
    summary : what the engine noted; older ones note less
    """

    n_iter: int
    weights: Array
    shards: list[str]
    rows: list[int]
    summary: dict[str, Any]

    @property
    def n_segments(self) -> int:
        """Walkers of this iteration."""
        return len(self.weights)


def read_iterations(journal: Path) -> list[Iteration]:
    """Return every closed iteration in order; a torn record is passed over."""
    records = (read_json(path) for path in sorted(journal.glob("iter_*.json")))
    found = (_read(record) for record in records if record is not None)
    return [iteration for iteration in found if iteration is not None]


def _read(record: dict[str, Any]) -> Iteration | None:
    try:
        if "segments" in record:  # one entry per segment: how journals began
            segments = record["segments"]
            weights = [s["weight"] for s in segments]
            shards = [str(s["shard"]) for s in segments]
            rows = [int(s["row"]) for s in segments]
        else:
            weights = record["weight"]
            names, places = record["shards"], record["place"]
            shards = [str(names[shard]) for shard, _ in places]
            rows = [int(row) for _, row in places]
        n_iter, summary = int(record["n_iter"]), record.get("summary") or {}
    except (KeyError, TypeError, ValueError, IndexError):
        return None
    if not weights or len(weights) != len(rows):
        return None
    return Iteration(n_iter, np.array(weights, dtype=float), shards, rows, summary)
