"""The table of a campaign's experiments: what differs, and what came of it."""

import csv
import io
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from apps.science.benchmark.ranking import (
    Row,
    Score,
    Standing,
    compare_models,
    rank_models,
    write_table,
)
from apps.science.files import read_json, write_text
from campaign.layout.protein_dir import ProteinDir
from campaign.report.kit.sources import read_columns
from campaign.report.parts.learnt_source import name_own_loss

LOSSES: Final = ("val_loss_weighted", "val_loss_unweighted")
"""Mean squared deviation of forces, of the best epoch; columns of metrics.csv."""


@dataclass(frozen=True)
class Experiment:
    """A model and the settings in which it differs, dotted."""

    name: str
    changes: Mapping[str, Any]


def figures_file(folder: Path, home: ProteinDir) -> Path:
    """Return where every figure of a protein's models is."""
    return folder / f"figures{f'_{home.protein}' if home.protein else ''}.csv"


def write_experiments(
    paths: ProteinDir, asked: Sequence[Experiment], homes: Sequence[ProteinDir]
) -> Path:
    """Write experiments/table.csv (a line a model) and figures.csv (a line a figure).

    Both can be written again at any time from what training and benchmarks left.
    """
    rows: dict[str, dict[str, Any]] = {one.name: _describe(one, asked) for one in asked}
    for run in homes if homes[0].learns_each else [paths]:
        above = f"{run.protein}." if run.protein else ""
        for one in asked:
            losses = _read_training(run, one.name)
            rows[one.name] |= {above + key: value for key, value in losses.items()}
    for home in homes:
        bodies = {
            one.name: body
            for one in asked
            if (body := read_json(home.benchmark(one.name) / "metrics.json"))
        }
        compared = compare_models(bodies)
        write_table(compared, figures_file(paths.experiments, home))
        above = f"{home.protein}." if home.protein else ""
        kl = _scores_of(compared, "tic0", "kl")
        outside = _scores_of(compared, "coverage", "outside")
        for standing in rank_models(compared):
            told = _tell(standing)
            if score := kl.get(standing.model):
                told |= {
                    "kl_tic0": score.value, "kl_tic0_low": score.low,
                    "kl_tic0_high": score.high, "kl_tic0_floor": score.floor,
                }  # fmt: skip
            if score := outside.get(standing.model):
                told |= {"outside": score.value, "outside_floor": score.floor}
            rows[standing.model] |= {above + key: value for key, value in told.items()}
    return write_text(paths.experiments / "table.csv", _as_csv(list(rows.values())))


def _scores_of(rows: Sequence[Row], metric: str, figure: str) -> dict[str, Score]:
    """Return one figure of every model that has it."""
    return {
        model: score
        for row in rows
        if (row.metric, row.figure) == (metric, figure)
        for model, score in row.scores.items()
    }


def _describe(one: Experiment, asked: Sequence[Experiment]) -> dict[str, Any]:
    """Return the model's name and every setting in which any of them differs.

    A setting that others change and it does not is left empty: the campaign's own.
    """
    settings = dict.fromkeys(key for other in asked for key in other.changes)
    return {"name": one.name} | {
        key: _spell(one.changes[key]) if key in one.changes else "" for key in settings
    }


def _spell(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _read_training(paths: ProteinDir, model: str) -> dict[str, Any]:
    columns = read_columns(paths.model(model) / "metrics.csv")
    if not set(LOSSES) <= set(columns):
        return {}
    own = columns[name_own_loss(paths, model)]
    best = int(np.nanargmin(own))
    return {
        "n_epochs": len(own),
        "best_epoch": best + 1,
        **{name: float(columns[name][best]) for name in LOSSES},
    }


def _tell(standing: Standing) -> dict[str, Any]:
    return {
        "place": standing.place,
        "mean_rank": standing.mean_rank,
        "n_within_twice_floor": standing.n_within_twice_floor,
        "n_figures": standing.n_figures,
    }


def _as_csv(rows: list[dict[str, Any]]) -> str:
    text = io.StringIO()
    heads = list(dict.fromkeys(key for row in rows for key in row))
    writer = csv.DictWriter(text, heads, restval="", lineterminator="\n")
    writer.writeheader()
    for row in rows:
        writer.writerow({k: _round(v) for k, v in row.items()})
    return text.getvalue()


def _round(value: Any) -> Any:
    if isinstance(value, float):
        return f"{value:.6g}" if math.isfinite(value) else ""
    return value
