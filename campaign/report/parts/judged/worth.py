"""How good each model is by itself: what it can be used for, and what not."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from campaign.report.parts.judged.scores import (
    Score,
    ScoreTable,
    read_details,
    read_scores,
)
from campaign.report.parts.learnt_source import LearntSource
from campaign.telling import words

Grade = Literal["good", "untold", "middling", "stuck", "useless"]
WORDS: Final[dict[Grade, str]] = {
    "good": "good", "untold": "undecided", "middling": "middling", "stuck": "stuck",
    "useless": "no use",
}  # fmt: skip
"""What models are good for, the best first."""

Share = tuple[float, float, float]
"""A share of weight, and the ends of its 95 % interval."""

MOST: Final = 0.5
"""A model with less of its weight inside the reference's area is of no use."""
NEAR_FLOOR: Final = 2.0
"""Times the floor up to which a distance is as good as none, as in the ranking."""
LEAST_OUTSIDE: Final = 0.05
"""A share outside that is small by itself, however low the floor."""
LEAST_KL: Final = 0.05
"""Nats that are few by themselves: free energies off by about 0.3 kT, sqrt(2 KL)."""
HIGH_FLOOR: Final = 0.5
"""KL of the reference's halves on TIC 0, nats, above which it tells no good model."""

LOCAL: Final = ("bonds", "angles", "dihedrals")
"""Metrics of the chain itself: no reference is too short for them."""

NOT_DEFINED: Final = Score("", math.nan, math.nan, math.nan, math.nan, "")


@dataclass(frozen=True)
class Worth:
    """What was found of one model.

    Attributes
    ----------
    outside, missed : shares of weight, see the metric ``coverage``
    slow : KL on TIC 0; None where it is not defined
    broken : share of the weight in broken structures
    is_doubtful : the benchmark warns that the reference cannot tell populations
    folded, usual_folded : share that is folded, and the reference's
    local : KL of each of ``LOCAL`` that is defined
    """

    model: str
    outside: Score
    missed: Score
    slow: Score | None
    broken: float = 0.0
    folded: Share | None = None
    usual_folded: Share | None = None
    is_doubtful: bool = False
    local: Mapping[str, Score] = field(default_factory=dict)

    @property
    def grade(self) -> Grade:
        """What it is good for, in a word."""
        if self.broken > MOST:
            return "useless"
        if self.outside.value > MOST:
            return "untold" if is_small(self.outside) else "useless"
        if self.missed.value > MOST:
            return "untold" if is_small(self.missed) else "stuck"
        if self.faults():
            return "middling"
        high = self.slow is not None and self.slow.floor > HIGH_FLOOR
        return "untold" if high or self.is_doubtful else "good"

    def faults(self) -> list[str]:
        """Return in which figures it differs from the reference beyond chance.

        Weight outside the reference's area comes last.
        """
        found = []
        if self.broken > LEAST_OUTSIDE:
            found.append(
                f"{words.percent(self.broken)} of its weight is in broken structures"
            )
        if not is_small(self.missed):
            found.append(
                f"{words.percent(self.missed.value)} of the reference's weight is "
                "where the model hardly ever is"
            )
        far = {n: times_floor(kl) for n, kl in self.local.items() if is_far(kl)}
        if far:
            found.append(
                f"its {words.joined(list(far))} are up to "
                f"{words.number(max(far.values()), 2)} times as far from the "
                "reference's as its halves are from each other"
            )
        if self.slow is not None and is_far(self.slow):
            found.append(
                f"on TIC 0 it is {words.number(times_floor(self.slow), 2)} times as "
                "far from the reference as the reference's halves are from each other"
            )
        if self.folds_otherwise() and self.folded and self.usual_folded:
            found.append(
                f"it is folded {spell_share(*self.folded)} of the time, the reference "
                f"{spell_share(*self.usual_folded)}"
            )
        if not is_small(self.outside):
            found.append(
                f"{words.percent(self.outside.value)} of its weight is where the "
                "reference hardly ever is"
            )
        return found

    def folds_otherwise(self) -> bool:
        """Tell whether the intervals of the folded shares lie apart."""
        if self.folded is None or self.usual_folded is None:
            return False
        return self.folded[1] > self.usual_folded[2] or (
            self.folded[2] < self.usual_folded[1]
        )


def read_worth(source: LearntSource) -> list[Worth]:
    """Return every model of which the benchmark tells enough, the best first.

    Empty for benchmarks of earlier versions, which do not.
    """
    found = []
    for model in source.models:
        table: ScoreTable = read_scores(source, model) or {}
        cover = table.get("coverage", {})
        broken = table.get("stability", {}).get("broken", NOT_DEFINED).value
        if not cover and not broken > MOST:
            continue
        slow = table.get("tic0", {}).get("kl")
        details = read_details(source, model, "folded")
        found.append(
            Worth(
                model, cover.get("outside", NOT_DEFINED),
                cover.get("missed", NOT_DEFINED),
                slow if slow is not None and slow.defined else None,
                broken if math.isfinite(broken) else 0.0,
                _read_share(details, "model"), _read_share(details, "reference"),
                bool((source.metrics(model) or {}).get("warnings")),
                {
                    name: kl for name in LOCAL
                    if (kl := table.get(name, {}).get("kl")) is not None and kl.defined
                },
            )
        )  # fmt: skip
    return sorted(found, key=_order)


def _order(one: Worth) -> tuple[int, float]:
    return list(WORDS).index(one.grade), one.slow.value if one.slow else math.inf


def times_floor(score: Score) -> float:
    """Return how many times the floor a distance is; NaN without a floor."""
    return score.value / score.floor if score.floor > 0 else math.nan


def is_far(score: Score) -> bool:
    """Tell whether a KL exceeds what the reference's halves have, and is not small."""
    return times_floor(score) > NEAR_FLOOR and score.value > LEAST_KL


def spell_share(value: float, low: float, high: float) -> str:
    """Return a share with its interval."""
    value_, low_, high_ = map(words.percent, (value, low, high))
    return f"{value_} {words.interval(low_, high_)}"


def is_small(share: Score) -> bool:
    """Tell whether a share outside is one that the reference's halves have too."""
    floor = share.floor if math.isfinite(share.floor) else 0.0
    return share.value <= max(LEAST_OUTSIDE, NEAR_FLOOR * floor)


def _read_share(details: dict[str, Any], name: str) -> Share | None:
    value = details.get(f"{name}_fraction")
    ends = details.get(f"{name}_fraction_interval")
    if not isinstance(value, int | float) or not isinstance(ends, list):
        return None
    low, high = ends
    return float(value), float(low), float(high)
