"""Where the thesis judged the same protein: its Table 4.4 beside what came out here."""

import csv
import io
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

import yaml

from apps.science.benchmark.ranking import exceeds
from apps.science.files import write_text
from apps.science.systems.native_folds import read_fold
from campaign.report.kit.blocks import Cell, Download, Section, Table, Text
from campaign.report.kit.canvas import Canvas
from campaign.report.parts.judged.page_scores import leading, score_cell
from campaign.report.parts.judged.scores import DIVERGENCES, Score, read_scores
from campaign.report.parts.learnt_source import LearntSource, name_own_loss
from campaign.telling import words

_FILE: Final = "published_table.csv"
_MOST_SUBSTITUTIONS: Final = 3
_LEAST_RESIDUES: Final = 20
"""In a shorter sequence any substitution makes another protein."""
_LEAST_SHARE: Final = 0.7
"""Of the longer sequence that the shorter has to cover: termini differ by source."""

HERE, THERE, NEITHER = "here", "in the thesis", "not told apart"


@dataclass(frozen=True)
class Published:
    """What the thesis found for one protein: by metric, then weighted or not."""

    folds: list[str]
    kl: dict[str, dict[bool, float]]

    def is_of(self, sequence: str) -> bool:
        """Whether this is the protein; a few substitutions and other ends count."""
        return any(_same_protein(sequence, read_fold(f).sequence) for f in self.folds)


@cache
def read_table() -> tuple[str, list[Published]]:
    """Return what the figures are from, and the figures of each protein."""
    path = Path(__file__).with_name("published_table.yaml")
    body: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    found = []
    for one in body["proteins"].values():
        both = zip(body["metrics"], one["weighted"], one["unweighted"], strict=True)
        kl = {metric: {True: w, False: u} for metric, w, u in both}
        found.append(Published(one["folds"], kl))
    return body["source"], found


def _same_protein(one: str, other: str) -> bool:
    short, long = sorted((one, other), key=len)
    if not short or len(short) < _LEAST_SHARE * len(long):
        return False
    allowed = _MOST_SUBSTITUTIONS if len(short) >= _LEAST_RESIDUES else 0
    return any(
        sum(a != b for a, b in zip(short, long[at:], strict=False)) <= allowed
        for at in range(len(long) - len(short) + 1)
    )


@dataclass(frozen=True)
class _Judged:
    """A protein of the table that was judged here; scores by metric and model."""

    home: LearntSource
    published: Published
    scores: dict[str, dict[str, Score]]


def list_judged(source: LearntSource) -> list[_Judged]:
    """Return the proteins of this run that the thesis judged by the same figures."""
    proteins = source.paths.proteins and source.paths.protein is None
    homes = map(LearntSource, source.paths.each_protein()) if proteins else [source]
    judged = []
    for home in homes:
        sequence = str(home.system.get("sequence") or "")
        published = next((p for p in read_table()[1] if p.is_of(sequence)), None)
        if published is None:
            continue
        tables = {m: t for m in home.models if (t := read_scores(home, m))}
        scores = {
            metric: found
            for metric in published.kl
            if (found := {
                m: t[metric]["kl"] for m, t in tables.items()
                if "kl" in t.get(metric, {}) and t[metric]["kl"].defined
            })
        }  # fmt: skip
        if scores:
            judged.append(_Judged(home, published, scores))
    return judged


def published(source: LearntSource, canvas: Canvas) -> Section:
    """Tabulate our figures beside the thesis's, and say which are nearer."""
    name, _ = read_table()
    section = Section(
        "published",
        "Beside the thesis",
        f"{name} has the same figures of the same proteins: which models are nearer to "
        "their reference?",
    )
    judged = list_judged(source)
    models = list(dict.fromkeys(
        m for one in judged for found in one.scores.values() for m in found
    ))  # fmt: skip
    weighted = {
        m: _is_weighted(one.home, m)
        for one in judged for found in one.scores.values() for m in found
    }  # fmt: skip
    heads = ["Protein"]
    for model in models:
        kind = "weighted" if weighted[model] else "unweighted"
        heads += [model.capitalize(), f"Thesis, {kind}"]
    heads += ["Floor", "Nearer of these", "Nearer of the thesis's two"]
    numbers: list[dict[str, Any]] = []
    tables = []
    for metric in judged[0].published.kl if judged else ():
        having = [one for one in judged if metric in one.scores]
        if having:
            label = next(iter(having[0].scores[metric].values())).label
            title = f"{label[:1].upper()}{label[1:]}: {DIVERGENCES['kl'].head}."
            rows = [_row(one, metric, models, weighted, numbers) for one in having]
            tables.append(Table(title, heads, rows))
    said = " ".join(filter(None, [_summarise(numbers, models), _say_length(source)]))
    alike = ", as was done here" if source.paths.learns_each else ""
    section.blocks += [Text(said), *tables, Text(f"{_SMALL_PRINT}{alike}.")]
    text = io.StringIO()
    heads = list(numbers[0]) if numbers else []
    table = csv.DictWriter(text, heads, lineterminator="\n")
    table.writeheader()
    table.writerows(numbers)
    write_text(canvas.folder / _FILE, text.getvalue())
    section.blocks.append(Download("The numbers:", _FILE))
    return section


_SMALL_PRINT: Final = (
    "Ours with the 95 % interval of a block bootstrap over lineages; the thesis gives "
    "no intervals and no floors. Nearer: the smaller figure where the other lies "
    "outside the interval; of two models, where they differ by more than the facing "
    "sides of both intervals. Floor: random halves of the reference against each "
    "other. The references are not the same, and divergences of histograms depend on "
    "their bins, so this says which models are good, not that one copy of an "
    "experiment beats another. The thesis trained a pair of models on each protein "
    "alone"
)


def _row(
    one: _Judged, metric: str, models: list[str], weighted: dict[str, bool],
    numbers: list[dict[str, Any]],
) -> list[Cell]:  # fmt: skip
    found, theirs = one.scores[metric], one.published.kl[metric]
    leader = leading(found)
    cells = [Cell(_name(one.home))]
    for model in models:
        score, figure = found.get(model), theirs[weighted[model]]
        nearer = NEITHER if score is None else _nearer(score, figure)
        cells += [
            score_cell(score, nearer == HERE),
            Cell(
                words.divergence(figure),
                nearer if nearer == NEITHER else f"nearer {nearer}",
                nearer == THERE,
            ),
        ]
        if score is not None:
            numbers.append({
                "protein": _name(one.home), "metric": metric, "model": model,
                "weighted": weighted[model], "kl": score.value,
                "low": score.low, "high": score.high,
                "floor": score.floor, "thesis": figure, "nearer": nearer,
            })  # fmt: skip
    floor = next(iter(found.values())).floor
    smaller = min(theirs, key=lambda kind: theirs[kind])
    return [
        *cells,
        Cell(words.divergence(floor)),
        Cell(leader or (NEITHER if len(found) > 1 else words.NONE)),
        Cell("weighted" if smaller else "unweighted"),
    ]


def _nearer(score: Score, figure: float) -> str:
    """Say whose figure is smaller beyond the interval of ours."""
    theirs = {"value": figure, "low": figure, "high": figure}
    if not score.has_interval:
        return NEITHER
    if exceeds(asdict(score), theirs):
        return HERE
    return THERE if exceeds(theirs, asdict(score)) else NEITHER


def _summarise(numbers: list[dict[str, Any]], models: list[str]) -> str:
    said = []
    for model in models:
        nearer = [row["nearer"] for row in numbers if row["model"] == model]
        said.append(
            f"{model.capitalize()}: of {words.count(len(nearer), 'figure')}, "
            f"{nearer.count(HERE)} nearer to the reference here, {nearer.count(THERE)} "
            f"in the thesis, {nearer.count(NEITHER)} not told apart."
        )
    return " ".join(said)


def _say_length(source: LearntSource) -> str:
    """Return how long the reference is: a short one is easily met."""
    asked = source.config.get("reference") or {}
    try:
        length_ps = float(asked["n_walks"]) * float(asked["walk_length_ps"])
    except (KeyError, TypeError, ValueError):
        return ""
    return (
        f"The reference here is {words.simulated(length_ps)} of plain dynamics a "
        "protein, the thesis's 4 ns from each of 9,919 starting points in all: a model "
        "is near to a reference that has seen little, and that is no merit."
    )


def _is_weighted(home: LearntSource, model: str) -> bool:
    return "unweighted" not in name_own_loss(home.paths, model)


def _name(home: LearntSource) -> str:
    named = home.paths.protein or home.asked_system.get("fold") or home.paths.name
    text = str(named).replace("_", " ")
    return text[:1].upper() + text[1:]
