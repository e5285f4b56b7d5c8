"""One row per WE iteration: what is drawn on the page and kept as a table."""

import csv
import io
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from apps.science.arrays import Array
from apps.science.files import write_text
from apps.science.statistics import effective_sample_size
from campaign.report.parts.we.iterations import Iteration

BURN_IN_SHARE = 0.25
SEGMENT_S = ("min", "median", "p95", "max")
SUMMARISED = (
    "idle_share", "n_slots", "n_blocks", "n_blocks_rerun", "n_blocks_restored",
    "propagate_s", "wall_s",
)  # fmt: skip


@dataclass(frozen=True)
class History:
    """Columns over closed iterations, NaN where the journal lacks a value.

    Attributes
    ----------
    columns : name -> (n_iterations,); see ``read_history``
    n_dim : progress coordinates, 0 where their extent was not noted
    flux : target -> (n_iterations,), probability recycled per iteration
    """

    columns: dict[str, Array]
    n_dim: int
    flux: dict[str, Array]

    def __getitem__(self, name: str) -> Array:
        """Return one column."""
        return self.columns[name]

    def __len__(self) -> int:
        """Return the number of iterations."""
        return len(self.columns["n_iter"])

    def knows(self, name: str) -> bool:
        """Tell whether any iteration has a value of ``name``."""
        return bool(np.isfinite(self.columns[name]).any())

    @property
    def burn_in(self) -> int:
        """Iterations at the start that are left out of means."""
        return int(BURN_IN_SHARE * len(self))

    @property
    def late_ess(self) -> float:
        """Effective walkers after the burn-in, median."""
        return float(np.median(self["ess"][self.burn_in :]))


def read_history(iterations: list[Iteration]) -> History:
    """Return what each iteration looked like.

    Columns: n_iter, walkers, bins, weight_{min,p05,p50,p95,max}, ess,
    pcoord_<dimension>_{min,max}, segment_s_{min,median,p95,max} (seconds of wall time)
    and ``SUMMARISED``.
    """
    n_dim = max((len(_ends(i)[0]) for i in iterations), default=0)
    rows = [_row(iteration, n_dim) for iteration in iterations]
    columns = {name: np.array([row[name] for row in rows]) for name in rows[0]}
    targets = dict.fromkeys(t for i in iterations for t in _flux(i))
    flux = {
        target: np.array([number_of(_flux(i).get(target)) for i in iterations])
        for target in targets
    }
    return History(columns, n_dim, flux)


def _row(iteration: Iteration, n_dim: int) -> dict[str, float]:
    weights, summary = iteration.weights, iteration.summary
    low, middle, high = np.quantile(weights, (0.05, 0.5, 0.95))
    row: dict[str, float] = {
        "n_iter": float(iteration.n_iter),
        "walkers": float(len(weights)),
        "bins": number_of(summary.get("n_bins_occupied")),
        "weight_min": float(weights.min()),
        "weight_p05": float(low),
        "weight_p50": float(middle),
        "weight_p95": float(high),
        "weight_max": float(weights.max()),
        "ess": effective_sample_size(weights),
    }
    lows, highs = _ends(iteration)
    for k in range(n_dim):
        inside = k < len(lows)
        row[f"pcoord_{k}_min"] = lows[k] if inside else math.nan
        row[f"pcoord_{k}_max"] = highs[k] if inside else math.nan
    times = summary.get("segment_s")
    times = times if isinstance(times, dict) else {}
    row |= {f"segment_s_{name}": number_of(times.get(name)) for name in SEGMENT_S}
    return row | {name: number_of(summary.get(name)) for name in SUMMARISED}


def _ends(iteration: Iteration) -> tuple[list[float], list[float]]:
    """Return the least and greatest value of each progress coordinate."""
    low, high = (iteration.summary.get(k) or [] for k in ("pcoord_min", "pcoord_max"))
    return [number_of(x) for x in low], [number_of(x) for x in high]


def _flux(iteration: Iteration) -> dict[str, Any]:
    found = iteration.summary.get("flux")
    return found if isinstance(found, dict) else {}


def write_table(history: History, flux: dict[str, Array], path: Path) -> Path:
    """Write the history as CSV, one line per iteration, what is not known empty.

    Each target adds a column flux_<label>, probability per iteration.
    """
    columns = history.columns | {f"flux_{name}": flux[name] for name in flux}
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(columns)
    for row in zip(*columns.values(), strict=True):
        table.writerow([f"{x:.10g}" if math.isfinite(x) else "" for x in row])
    return write_text(path, text.getvalue())


def number_of(value: Any) -> float:
    """Return a number as float, NaN for anything else."""
    return float(value) if isinstance(value, int | float) else math.nan
