"""What a benchmark wrote (metrics.json, densities.npz), in the report's own terms."""

import math
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from apps.science.arrays import Array
from campaign.report.sources import RunSource


@dataclass(frozen=True)
class Divergence:
    """How one kind of distance is presented."""

    title: str
    head: str
    meaning: str


DIVERGENCES: Final = {
    "kl": Divergence(
        "Kullback-Leibler divergence",
        "KL(reference ‖ model), nats",
        "Kullback-Leibler divergence of each model from the reference; 0 is a perfect "
        "match.",
    ),
    "w1": Divergence(
        "Wasserstein-1 distance",
        "Wasserstein-1",
        "Wasserstein-1 distance: how far probability must be moved, in the unit of the "
        "quantity.",
    ),
    "js": Divergence(
        "Jensen-Shannon divergence",
        "Jensen-Shannon, nats",
        "Jensen-Shannon divergence: symmetric, at most ln 2 = 0.693.",
    ),
    "difference": Divergence("d", "d", "d"),
}


@dataclass(frozen=True)
class Score:
    """One distance with its interval and floor; NaN where it is not defined."""

    label: str
    value: float
    low: float
    high: float
    floor: float
    unit: str

    @property
    def defined(self) -> bool:
        """Whether there is a number."""
        return math.isfinite(self.value)

    @property
    def has_interval(self) -> bool:
        """Whether both ends of the interval are known."""
        return math.isfinite(self.low) and math.isfinite(self.high)


ScoreTable = dict[str, dict[str, Score]]


@dataclass(frozen=True)
class Course:
    """One quantity against time."""

    label: str
    question: str
    time_ps: Array
    value: Array
    is_share: bool


def read_scores(source: RunSource, model: str) -> ScoreTable | None:
    """Return every score of a model by metric and divergence."""
    return None


def read_stability(source: RunSource, model: str) -> dict[str, Course]:
    """Return what was measured over time."""
    return {}


def read_surviving(source: RunSource) -> dict[str, float]:
    """Return the share of walkers intact at the end, per model."""
    return {}
