"""What training tells the world: metrics.csv and a progress file."""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from apps.science.files import write_json, write_text

_BEFORE: Final = ("epoch", "train_loss")
_AFTER: Final = ("learning_rate", "frames_per_second", "seconds")
"""Of the epoch. Between stands what a task's validation finds, the same in every epoch;
behind them what else it finds, and the losses of other parts than the first."""

Row = dict[str, float]


def write_metrics(path: Path, history: Sequence[Row], found: Sequence[str]) -> Path:
    """Write one line per finished epoch; a resumed run rewrites it from its history.

    Parameters
    ----------
    found : the columns of the task
    """
    columns = [*_BEFORE, *found, *_AFTER]
    rows = history[0] if history else {}
    columns += [name for name in rows if name not in columns]
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
