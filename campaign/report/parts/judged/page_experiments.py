"""The table of a campaign's experiments: what each changed, and what came of it."""

import shutil
from typing import Any

from campaign.report.kit.blocks import Cell, Download, Note, Section, Table
from campaign.report.kit.canvas import Canvas
from campaign.report.parts.learnt_source import MOST_DRAWN, LearntSource
from campaign.telling import words

_LOSSES = {
    "val_loss_weighted": "Validation loss, weighted",
    "val_loss_unweighted": "Validation loss, unweighted",
}
_RESULTS = (
    "place", "mean_rank", "n_within_twice_floor", "n_figures", "kl_tic0",
    "kl_tic0_low", "kl_tic0_high", "kl_tic0_floor", "outside", "outside_floor",
)  # fmt: skip
_TRAINING = ("n_epochs", "best_epoch")


def experiments(source: LearntSource, canvas: Canvas) -> Section:
    """Tabulate every model with what it changed."""
    section = Section(
        "experiments",
        "Experiments",
        "What does each choice change, and is any model better than the others beyond "
        "chance?",
    )
    rows = source.experiments
    if not rows:
        text = "The experiments are compared when all models have been judged."
        section.blocks.append(Note(text, "missing"))
        return section
    if len(rows) > MOST_DRAWN:
        text = f"Of {len(rows)} models, the other parts draw {MOST_DRAWN}: the first "
        section.blocks.append(Note(text + "and those of the best mean rank."))
    proteins: list[str | None] = [*source.paths.proteins] or [None]
    trained = [*_LOSSES, *_TRAINING]
    told = {"name", *trained, *(f"{p}.{key}" for p in proteins for key in trained)}
    settings = [
        key
        for key in rows[0]
        if key not in told and key.rpartition(".")[2] not in _RESULTS
    ]
    for protein in proteins:
        section.blocks.append(_table(rows, settings, protein))
    canvas.folder.mkdir(parents=True, exist_ok=True)
    path = source.paths.experiments / "table.csv"
    shutil.copyfile(path, canvas.folder / "experiments.csv")
    section.blocks.append(Download("The table:", "experiments.csv"))
    return section


def _table(
    rows: list[dict[str, str]], settings: list[str], protein: str | None
) -> Table:
    above = f"{protein}." if protein else ""
    ranked = sorted(rows, key=lambda row: _number(row.get(above + "mean_rank")))
    places = [_number(row.get(above + "place")) for row in rows]
    best, all_alike = min(places), len(set(places)) == 1
    lines = []
    for row in ranked:
        place = row.get(above + "place") or words.NONE
        near, n = (row.get(above + k) for k in ("n_within_twice_floor", "n_figures"))
        interval = ""
        if row.get(above + "kl_tic0_low"):
            ends = (_number(row[above + f"kl_tic0_{end}"]) for end in ("low", "high"))
            interval = " to ".join(map(words.divergence, ends))
        lines.append([
            Cell(row["name"], ", ".join(f"{k} {row[k]}" for k in settings if row[k])),
            *(
                Cell(words.number(_number(row.get(above + key, row.get(key))), 5))
                for key in _LOSSES
            ),
            Cell(words.divergence(_number(row.get(above + "kl_tic0"))), interval),
            Cell(words.percent(1.0 - _number(row.get(above + "outside")))),
            Cell(f"{near} of {n}" if n else words.NONE),
            Cell(words.number(_number(row.get(above + "mean_rank")))),
            Cell(place, best=_number(place) == best and not all_alike),
        ])  # fmt: skip
    heads = [
        str(protein).replace("_", " ").capitalize() if protein else "Model",
        *_LOSSES.values(), "KL on TIC 0, nats", "Weight inside",
        "Within twice the floor", "Mean rank", "Place",
    ]  # fmt: skip
    return Table(
        "Losses are mean squared force deviations of the best epoch; they compare "
        "between models that learn from the same training set only. Place: by the mean "
        "rank over one figure of each metric; a model ranks behind another where the "
        "difference exceeds their 95 % intervals, so models of one place cannot be "
        "told apart. Below each name: the settings in which it differs from the "
        "campaign's own. Weight inside: share of the model's weight in the area that "
        "holds 99 % of the reference's.",
        heads,
        lines,
    )


def _number(text: Any) -> float:
    try:
        return float(text)
    except (TypeError, ValueError):
        return float("nan")
