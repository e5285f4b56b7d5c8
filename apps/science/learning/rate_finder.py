"""A learning rate from a short range test, for ``training.learning_rate: auto``.

Smith, Cyclical learning rates for training neural networks, WACV 2017: steps of growing
rate are taken from the initial weights, and the rate is where the loss falls fastest
before it first rises. Forces are noisy, so that the loss of one batch after another
would show their noise alone; here it is that of the same frames after every step, whose
noise is in no difference. Several sweeps over other frames are joined.
"""

import logging
import math
from collections.abc import Callable, Sequence
from typing import Final

import numpy as np

from apps.science.arrays import IntArray
from apps.science.errors import NumericalError
from apps.science.learning.ranks import Ranks

_log = logging.getLogger(__name__)

N_SWEEPS: Final = 4
MEASURED: Final = 256
"""Frames whose loss is followed through a sweep."""
RATES: Final[Sequence[float]] = tuple(np.geomspace(1e-5, 1.0, 60).tolist())
_USUAL: Final = 1e-3
"""Where nothing is to be seen."""
_RISE: Final = 0.1
"""Of all that the loss fell: by so much it has to rise to end the descent."""
_LEAST_FALL: Final = 1e-4
"""Of the loss: what falls less has not fallen."""
_DIGITS: Final = 2
"""Significant digits of a rate; more would be of the processor."""

FIRST_EPOCH: Final = 1_000_000
"""Orders of frames from here on are the sweeps'."""


def choose_rate(losses: Sequence[float], start: float) -> float | None:
    """Return the rate of steepest descent before the first rise; None without a fall.

    Parameters
    ----------
    losses : after the step of each of the first ``RATES``
    start : before them
    """
    fall = np.asarray(losses, dtype=float) - start
    fall = np.where(np.isfinite(fall), fall, np.inf)
    lowest = np.minimum.accumulate(np.minimum(fall, 0.0))
    fell = lowest < -_LEAST_FALL * start
    rises = np.flatnonzero(fell & ~(fall - lowest <= _RISE * -lowest))
    fall = fall[: rises[0] if len(rises) else len(fall)]
    if len(fall) < 2 or not fall.min() < -_LEAST_FALL * start:
        return None
    smooth = np.convolve(np.pad(fall, 1, mode="edge"), np.full(3, 1 / 3), "valid")
    return RATES[int(np.argmin(np.gradient(smooth)))]


def sweep_rates(
    batches: Sequence[IntArray],
    step: Callable[[IntArray, float], bool],
    measure: Callable[[], float],
    ranks: Ranks,
) -> tuple[list[float], float] | None:
    """Return the losses after steps of growing rate, and before; None if told to stop.

    Parameters
    ----------
    step : takes one of a rate, and says whether to stop
    measure : the loss of the same frames
    """
    start, losses, lowest = measure(), list[float](), 0.0
    for number, rate in enumerate(RATES):
        try:
            if step(batches[number % len(batches)], rate):
                return None
            losses.append(measure())
        except NumericalError:
            break
        change = losses[-1] - start
        lowest = min(lowest, change)
        if ranks.decide(not change <= -lowest + _LEAST_FALL * start):
            break
    return losses, start


def join_rates(found: Sequence[float | None]) -> float:
    """Return one rate for all sweeps, of two digits, and say it."""
    rates = [rate for rate in found if rate is not None]
    if not rates:
        _log.warning(
            "learning rate: no loss fell in the range test; %g is taken, as usual",
            _USUAL,
        )
        return _USUAL
    mean = math.exp(sum(map(math.log, rates)) / len(rates))
    rate = float(f"{mean:.{_DIGITS}g}")
    _log.info(
        "learning rate: %g, where the loss falls fastest in range tests (%s)",
        rate,
        ", ".join(f"{one:.2g}" for one in rates),
    )
    return rate
