"""Several models in one table: ranks, and which differences exceed their intervals.

Works on what ``run_benchmark`` wrote (the bodies of metrics.json), so that a report
can rank models that were judged at different times against one reference.
"""

import csv
import io
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from apps.science.files import write_text

Bodies = Mapping[str, Mapping[str, Any]]
"""The contents of metrics.json by model."""

ORDER = (
    "tic0", "tic1", "tica2d", "coverage", "rmsd", "native_contacts", "folded",
    "contacts", "gyration", "end_to_end", "bonds", "angles", "dihedrals", "torsions",
    "chirality", "timescales", "passage", "stability",
)  # fmt: skip


@dataclass(frozen=True)
class Score:
    """One model's figure.

    Attributes
    ----------
    rank : 1 + the number of models that are better beyond their intervals
    leads : it is better than every other model, beyond the intervals
    over_floor : value over what the reference gives against itself; None where the
        floor is nought
    """

    value: float
    low: float
    high: float
    floor: float
    rank: int
    leads: bool
    over_floor: float | None


@dataclass(frozen=True)
class Row:
    """One figure of all models that have it."""

    metric: str
    figure: str
    label: str
    unit: str
    scores: dict[str, Score]


def exceeds(better: Mapping[str, Any], worse: Mapping[str, Any]) -> bool:
    """Say whether two figures differ by more than their 95 % intervals explain.

    The sides of the intervals that face each other are added in quadrature, as for
    independent estimates; both models are judged by one reference, whose share in the
    noise they have in common, so this errs towards saying no.
    """
    sides = (
        _number(better, "high") - _number(better, "value"),
        _number(worse, "value") - _number(worse, "low"),
    )
    gap = _number(worse, "value") - _number(better, "value")
    return gap > 0 and gap > math.hypot(*sides)


def compare_models(bodies: Bodies) -> list[Row]:
    """Return every figure that a model has, in the order of the table."""
    place = {name: k for k, name in enumerate(ORDER)}
    metrics = {m for body in bodies.values() for m in body["metrics"]}
    rows = []
    for metric in sorted(metrics, key=lambda m: (place.get(m, len(ORDER)), m)):
        about = {
            model: body["metrics"][metric]
            for model, body in bodies.items()
            if metric in body["metrics"]
        }
        names = dict.fromkeys(f for a in about.values() for f in a.get("figures", {}))
        for figure in names:
            found = {
                model: a["figures"][figure]
                for model, a in about.items()
                if figure in a["figures"]
                and math.isfinite(_number(a["figures"][figure], "value"))
            }
            if found:
                label = str(next(iter(about.values())).get("label") or metric)
                unit = str(next(iter(found.values())).get("unit") or "")
                rows.append(Row(metric, figure, label, unit, _score(found)))
    return rows


def _score(found: dict[str, Mapping[str, Any]]) -> dict[str, Score]:
    scores = {}
    for model, one in found.items():
        others = [o for m, o in found.items() if m != model]
        floor = _number(one, "floor")
        value = _number(one, "value")
        scores[model] = Score(
            value=value,
            low=_number(one, "low"),
            high=_number(one, "high"),
            floor=floor,
            rank=1 + sum(exceeds(o, one) for o in others),
            leads=bool(others) and all(exceeds(one, o) for o in others),
            over_floor=value / floor if floor > 0 else None,
        )
    return scores


def _number(figure: Mapping[str, Any], key: str) -> float:
    value = figure.get(key)
    return float(value) if isinstance(value, int | float) else math.nan


@dataclass(frozen=True)
class Standing:
    """Where one model stands among those compared.

    Attributes
    ----------
    place : 1 for the best; models with the same mean rank share it
    mean_rank : over one figure of each metric (KL where there is one)
    better_than : by model, on how many of those figures it is better beyond chance
    n_within_twice_floor, n_figures : of those figures with a floor
    """

    model: str
    place: int
    mean_rank: float
    better_than: dict[str, int]
    n_within_twice_floor: int
    n_figures: int


def rank_models(rows: list[Row]) -> list[Standing]:
    """Return the models, the best first.

    Only metrics that every model has count, so that none gains by being undefined.
    """
    models = list(dict.fromkeys(m for row in rows for m in row.scores))
    chosen: dict[str, Row] = {}
    for row in rows:
        if len(row.scores) == len(models):
            chosen.setdefault(row.metric, row)
    found = []
    for model in models:
        ranks = [row.scores[model].rank for row in chosen.values()]
        better = {
            other: sum(
                exceeds(asdict(row.scores[model]), asdict(row.scores[other]))
                for row in chosen.values()
            )
            for other in models
            if other != model
        }
        floors = [
            s
            for row in chosen.values()
            if (s := row.scores[model].over_floor) is not None
        ]
        near = sum(share <= 2.0 for share in floors)
        mean = sum(ranks) / len(ranks) if ranks else math.nan
        found.append((mean, model, better, near, len(floors)))
    found.sort(key=lambda f: f[0] if math.isfinite(f[0]) else math.inf)
    return [
        Standing(
            model, 1 + sum(f[0] < mean for f in found), mean, better, near, n_floors
        )
        for mean, model, better, near, n_floors in found
    ]


def write_table(rows: list[Row], path: Path) -> Path:
    """Write the table as CSV, one line per figure and model."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(
        ["metric", "figure", "unit", "model", "value", "low", "high", "floor", "rank",
         "leads"]
    )  # fmt: skip
    for row in rows:
        for model, s in row.scores.items():
            numbers = [f"{v:.6g}" for v in (s.value, s.low, s.high, s.floor)]
            writer.writerow(
                [row.metric, row.figure, row.unit, model, *numbers, s.rank, s.leads]
            )
    return write_text(path, text.getvalue())
