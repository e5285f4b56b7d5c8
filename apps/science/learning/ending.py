"""Where a training stopped, and whether more of it would help: ending.json.

What is looked at is the last third of the validation loss: a straight line through it,
the line's standard error (widened where neighbouring epochs are alike), and how much
of all that was learnt it holds. Validation frames are the same in every epoch, so that
their noise is in no difference.
"""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np

from apps.science.arrays import Array
from apps.science.files import write_json
from apps.science.learning.names import ENDING
from apps.science.learning.record import Row

SCHEMA: Final = "weft-ending-1"

Stopped = Literal["epochs", "budget", "patience"]
Trend = Literal["falling", "flat", "overfit"]

_FEWEST: Final = 4
"""Epochs from which a trend is looked for."""
_SHARE: Final = 0.02
"""Of all that the validation loss fell: less in the last third is flat, and so is a
rise of less."""
_N_ERRORS: Final = 2.0
"""Standard errors by which a slope differs from none."""
_MOST_ALIKE: Final = 0.9


@dataclass(frozen=True)
class Line:
    """A straight line through the losses of some epochs.

    Attributes
    ----------
    slope, error : per epoch, in units of the loss
    n : epochs
    """

    slope: float
    error: float
    n: int

    @property
    def falls(self) -> bool:
        """Whether it falls by more than its noise."""
        return self.slope < -_N_ERRORS * self.error

    @property
    def rises(self) -> bool:
        """Whether it rises by more than its noise."""
        return self.slope > _N_ERRORS * self.error

    @property
    def change(self) -> float:
        """From its first epoch to its last."""
        return self.slope * (self.n - 1)


def fit_line(losses: Array) -> Line:
    """Return the line of least squares through losses of one epoch each, (n,)."""
    n = len(losses)
    if n < 3:
        slope = float(losses[-1] - losses[0]) if n == 2 else 0.0
        return Line(slope, abs(slope), n)
    x = np.arange(n) - (n - 1) / 2
    slope = float(x @ losses / (x @ x))
    rest = losses - losses.mean() - slope * x
    error = math.sqrt(float(rest @ rest) / (n - 2) / float(x @ x))
    alike = float(rest[1:] @ rest[:-1] / max(float(rest @ rest), 1e-300))
    alike = min(max(alike, 0.0), _MOST_ALIKE)
    return Line(slope, error * math.sqrt((1 + alike) / (1 - alike)), n)


@dataclass(frozen=True)
class Ending:
    """What ending.json holds.

    Attributes
    ----------
    stopped : by what
    epochs, best_epoch : of which the last may be a part of one
    trend, trend_per_epoch, trend_error : of the validation loss over ``trend_epochs``
        at the end, in ``units`` per epoch
    overfit_since : the epoch from which on it rises; None where it does not
    would_help : whether to train longer
    validated : whether frames validate; else it is the training loss
    learning_rate : the largest
    minutes : by the clock, of the epochs
    warning : of the task, such as of a set that is small; empty where there is none
    sentence : all this for a person
    units : of the loss
    """

    stopped: Stopped
    epochs: int
    best_epoch: int
    trend: Trend
    trend_per_epoch: float
    trend_error: float
    trend_epochs: int
    overfit_since: int | None
    would_help: bool
    validated: bool
    learning_rate: float
    minutes: float
    warning: str
    sentence: str
    units: str


def describe_ending(
    history: Sequence[Row],
    stopped: Stopped,
    own: str,
    learning_rate: float,
    patience: int,
    budget_minutes: float | None,
    warning: str = "",
    units: str = "",
    remedy: str = "More data or a smaller model would help",
) -> Ending:
    """Return where a training stopped and whether more of it would help.

    Parameters
    ----------
    history : an entry for each epoch, one at least
    own : the column of the validation loss that decides which epoch is best
    warning, units : see ``Ending``
    remedy : what would help a model that learns its data by heart
    """
    losses = np.array([row[own] for row in history], dtype=float)
    trained = np.array([row["train_loss"] for row in history], dtype=float)
    validated = bool(np.isfinite(losses).all())
    if not validated:
        losses = trained
    n = len(losses)
    best = int(np.argmin(losses))
    last = fit_line(losses[-max(3, math.ceil(n / 3)) :])
    trend, since = _judge(losses, trained, best, last)
    if not validated and trend == "overfit":
        trend, since = "flat", None
    why = {
        "epochs": "after all its epochs (training.n_epochs)",
        "budget": f"when its budget of {budget_minutes or 0:g} min was used "
        "(training.budget_minutes)",
        "patience": f"since {patience} epochs brought nothing better "
        "(training.patience)",
    }[stopped]
    sentence = (
        f"It stopped {why}, {n} in all; epoch {best + 1} is kept. "
        f"{_say(trend, since, last, n, validated, units, remedy)}"
    )
    return Ending(
        stopped, n, best + 1, trend, last.slope, last.error, last.n, since,
        trend == "falling", validated, learning_rate,
        sum(row["seconds"] for row in history) / 60, warning,
        f"{sentence} {warning}".strip(), units,
    )  # fmt: skip


def _judge(
    losses: Array, trained: Array, best: int, last: Line
) -> tuple[Trend, int | None]:
    n = len(losses)
    fell = float(losses[0] - losses.min())
    if n < _FEWEST:
        return ("falling" if best == n - 1 else "flat"), None
    after = fit_line(losses[best:])
    rise = float(losses[-max(1, after.n // 3) :].mean() - losses[best])
    if after.n >= 3 and after.rises and rise > _SHARE * fell:
        # where the training loss rises too, steps are too large, and nothing is learnt
        if fit_line(trained[best:]).slope < 0:
            return "overfit", best + 1
        return "flat", None
    if last.falls and -last.change > _SHARE * fell:
        return "falling", None
    return "flat", None


def _say(
    trend: Trend, since: int | None, last: Line, n: int, validated: bool,
    units: str, remedy: str,
) -> str:  # fmt: skip
    loss = "validation loss" if validated else "training loss (no frame validates)"
    spread = f"{abs(last.slope):.2g} ± {last.error:.1g} {units}".strip()
    per_epoch = f"{spread} per epoch"
    if n < _FEWEST:
        return f"{n} are too few to see where the {loss} goes: train longer."
    if trend == "overfit":
        return (
            f"The validation loss has risen since epoch {since} while the training "
            f"loss fell: the model learns its data by heart. {remedy}; more epochs "
            "would not."
        )
    if trend == "falling":
        return (
            f"The {loss} was still falling, by {per_epoch} over the last {last.n}: "
            "train longer."
        )
    return (
        f"The {loss} was flat over the last {last.n} "
        f"({'-' if last.slope < 0 else '+'}{per_epoch}): more epochs would change "
        "little."
    )


def write_ending(folder: Path, ending: Ending) -> Path:
    """Write ending.json into a model's folder, atomically."""
    found: dict[str, Any] = {"schema": SCHEMA, **asdict(ending)}
    return write_json(folder / ENDING, found)
