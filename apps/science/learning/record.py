"""What training tells the world: metrics.csv and a progress file."""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from apps.science.files import write_json, write_text

COLUMNS: Final = (
    "epoch", "train_loss", "val_loss_weighted", "val_loss_unweighted",
    "learning_rate", "frames_per_second", "seconds",
)  # fmt: skip
"""Losses in (kcal/mol/Angstrom)^2 per force component; times of the epoch.

Several proteins add a column ``val_loss_<name>`` each, weighted as the loss is.
"""

Row = dict[str, float]


def write_metrics(path: Path, history: Sequence[Row]) -> Path:
    """Write one line per finished epoch; a resumed run rewrites it from its history."""
    more = [name for name in (history[0] if history else {}) if name not in COLUMNS]
    columns = [*COLUMNS, *more]
    lines = [",".join(columns)]
    for row in history:
        cells = [f"{int(row['epoch'])}", *(f"{row[c]:.8g}" for c in columns[1:])]
        lines.append(",".join(cells))
    return write_text(path, "\n".join(lines) + "\n")


def write_progress(
    path: Path | None, done: float, n_epochs: float, seconds_left: float, detail: str
) -> None:
    """Write how far training is, atomically."""
    if path is None:
        return
    write_json(
        path,
        {
            "done": round(done, 2),
            "total": round(n_epochs, 2),
            "unit": "epoch",
            "detail": detail,
            "seconds_left": round(seconds_left, 1),
            "time": time.time(),
        },
    )
