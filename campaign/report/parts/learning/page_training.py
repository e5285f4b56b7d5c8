"""Training curves of the models, side by side."""

from collections.abc import Sequence

import numpy as np

from apps.science.arrays import Array
from apps.science.files import read_json
from apps.science.learning.names import ENDING
from campaign.report.kit import style
from campaign.report.kit.blocks import (
    Block,
    Cell,
    Gallery,
    Note,
    Picture,
    Section,
    Table,
)
from campaign.report.kit.canvas import Canvas, above_axes
from campaign.report.parts.learnt_source import (
    FIRST_MODELS,
    LearntSource,
    name_own_loss,
)
from campaign.report.parts.model_look import model_dashes
from campaign.telling import words

KNOWN = {
    "train": "Training",
    "weighted": "Validation, WE weights",
    "unweighted": "Validation, all frames alike",
}
QUESTIONS = {
    "train": "Does each model learn? The two losses weigh frames differently, so only "
    "their courses compare.",
    "weighted": "Which model is better where the ensemble's weight lies?",
    "unweighted": "Which model is better on every frame alike?",
}


def training(source: LearntSource, canvas: Canvas) -> Section:
    """Show the losses of every model that has begun to train."""
    section = Section(
        "training", "Training", "Did the models converge, and do they overfit?"
    )
    curves = {m: c for m in source.models if (c := source.training(m))}
    if not curves:
        section.blocks.append(Note("No model has finished an epoch yet.", "missing"))
        return section
    section.blocks.append(
        Note(
            "Where the progress coordinate is a function of the bead positions, the "
            "weighted and the unweighted loss have the same minimiser (the mean force "
            "at a given bead configuration does not depend on how often it was "
            "visited). With a flexible model and enough data the two would agree; "
            "what differs is how a limited model and finite data are spent."
        )
    )
    losses = loss_columns(curves)
    section.blocks.append(
        Gallery([draw_loss(name, curves, canvas) for name in losses], columns=3)
    )
    section.blocks.append(summary_table(source, curves, losses))
    section.blocks.extend(say_endings(source, list(curves)))
    missing = [m for m in source.asked_models if not source.training(m)]
    section.blocks.extend(
        Note(f"The {m} model has not finished an epoch yet.", "missing")
        for m in missing
    )
    return section


def say_endings(source: LearntSource, models: Sequence[str]) -> list[Block]:
    """Say where each model stopped; cautions where one learnt its frames by heart."""
    found = {m: read_json(source.paths.model(m) / ENDING) or {} for m in models}
    said = {m: one["sentence"] for m, one in found.items() if one.get("sentence")}
    if not said:
        return []
    cautions: list[Block] = [
        Note(f"The {model} model: {found[model]['warning']}", "caution")
        for model in said
        if found[model].get("warning")
    ]
    rows = [
        [Cell(model), Cell(sentence.removesuffix(found[model].get("warning") or ""))]
        for model, sentence in said.items()
    ]
    return [
        *cautions,
        Table(
            "Where training stopped, and whether more would help: a line through the "
            "last third of the validation losses, with its standard error.",
            ["Model", "How its training ended"],
            rows,
        ),
    ]


def loss_columns(curves: dict[str, dict[str, Array]]) -> list[str]:
    """Return the columns that hold losses, training first."""
    names = dict.fromkeys(n for c in curves.values() for n in c if "loss" in n.lower())
    return sorted(names, key=lambda n: ("train" not in n, "unweighted" in n))


def draw_loss(
    name: str, curves: dict[str, dict[str, Array]], canvas: Canvas
) -> Picture:
    """Draw one loss of all models against the epoch."""
    numbers: dict[str, Array] = {}
    kind = loss_kind(name)
    with canvas.axes(style.SMALL) as (figure, axes):
        for model, columns in curves.items():
            if name not in columns:
                continue
            y = columns[name]
            x = columns.get("epoch", np.arange(1, len(y) + 1, dtype=float))
            numbers |= {f"{model}_epoch": x, f"{model}_loss": y}
            axes.plot(
                x, y, color=canvas.colour(model), label=f"{model} model",
                ls=model_dashes(model), marker="o" if len(y) < 25 else "", ms=3.5,
            )  # fmt: skip
        values = np.concatenate([v for k, v in numbers.items() if k.endswith("loss")])
        values = values[np.isfinite(values)]
        if values.size and values.min() > 0 and values.max() / values.min() > 20:
            axes.set_yscale("log")
        axes.set_xlabel("epoch")
        axes.set_ylabel("loss, (kcal/mol/Å)²")
        if len(curves) > len(FIRST_MODELS):
            n_rows = above_axes(axes, small=True)
            axes.set_title(title_of(name), pad=6 + 12 * n_rows)
        else:
            axes.set_title(title_of(name))
            axes.legend(loc="upper right")
        return canvas.keep(
            figure,
            f"training_{name}".lower(),
            caption=QUESTIONS.get(kind, "Which model is better on this protein?"),
            alt=f"{name} against epoch",
            numbers=numbers,
        )


def summary_table(
    source: LearntSource, curves: dict[str, dict[str, Array]], losses: list[str]
) -> Table:
    """Tabulate the best epoch of each model and its losses there."""
    rows = []
    for model, columns in curves.items():
        own = name_own_loss(source.paths, model)
        best = int(np.nanargmin(columns[own])) if own in columns else 0
        n_epochs = len(next(iter(columns.values())))
        epochs = columns.get("epoch", np.arange(1, n_epochs + 1))
        rows.append(
            [
                Cell(model),
                Cell(f"{len(epochs)}"),
                Cell(f"{epochs[best]:.0f}"),
                *(
                    Cell(words.number(float(columns[n][best]), 4))
                    if n in columns
                    else Cell(words.NONE)
                    for n in losses
                ),
            ]
        )
    heads = [title_of(n) for n in losses]
    return Table(
        "Losses, (kcal/mol/Å)², at the epoch where the validation loss of the model's "
        "own kind is least.",
        ["Model", "Epochs", "Best epoch", *heads],
        rows,
    )


def title_of(name: str) -> str:
    """Return what a column of metrics.csv is called; each protein may have one."""
    protein = name.removeprefix("val_loss_").replace("_", " ")
    return KNOWN.get(loss_kind(name), f"Validation, {protein}")


def loss_kind(name: str) -> str:
    """Return "train", "weighted" or "unweighted" for a column, else its name."""
    lower = name.lower()
    for kind in ("train", "unweighted", "weighted"):
        if kind in lower:
            return kind
    return lower
