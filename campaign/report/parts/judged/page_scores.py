"""The table of the thesis (Table 4.4) for this protein: weighted beside unweighted."""

from dataclasses import asdict

from apps.science.benchmark.ranking import exceeds
from campaign.report.kit.blocks import Block, Cell, Fold, Note, Section, Table
from campaign.report.kit.canvas import Canvas
from campaign.report.parts.judged.scores import (
    DIVERGENCES,
    OTHERS,
    Score,
    ScoreTable,
    read_scores,
    read_undefined,
    read_warnings,
)
from campaign.report.parts.learnt_source import LearntSource
from campaign.telling import words

SMALL_PRINT = (
    "Small print: 95 % interval of a block bootstrap over lineages. Floor: random "
    "halves of the reference against each other, what a perfect model would score. "
    "Bold: better by more than the facing sides of both intervals, in quadrature."
)


def scores(source: LearntSource, canvas: Canvas) -> Section:
    """Tabulate every distance of every benchmarked model."""
    section = Section(
        "scores",
        "Scores",
        "How far is each model from the reference, and is the difference between them "
        "larger than chance?",
    )
    tables = {m: t for m in source.models if (t := read_scores(source, m))}
    if not tables:
        text = "No model has been benchmarked yet, so there are no scores."
        section.blocks.append(Note(text, "missing"))
        return section
    for model in source.asked_models:
        if model not in tables and source.metrics(model) is None:
            text = f"The {model} model has not been benchmarked yet."
            section.blocks.append(Note(text, "missing"))
    section.blocks.extend(Note(w, "caution") for w in read_warnings(source))
    section.blocks.append(divergence_table("kl", tables))
    others = other_table(tables)
    if others.rows:
        section.blocks.append(others)
    folded: list[Block] = [divergence_table(kind, tables) for kind in ("w1", "js")]
    names = words.joined([DIVERGENCES[k].title for k in ("w1", "js")])
    section.blocks.append(Fold(f"The same by {names}", folded))
    undefined = {
        label: reason
        for model in tables
        for label, reason in read_undefined(source, model).items()
    }
    if undefined:
        listed = "; ".join(f"{label} ({why})" for label, why in undefined.items())
        section.blocks.append(Note(f"Not defined here: {listed}.", "missing"))
    return section


def divergence_table(kind: str, tables: dict[str, ScoreTable]) -> Table:
    """Return one divergence of all models; a lead beyond chance is bold."""
    about = DIVERGENCES[kind]
    rows = []
    for metric in _names(tables):
        found = {
            m: t[metric][kind] for m, t in tables.items() if kind in t.get(metric, {})
        }
        if found:
            label = next(iter(found.values())).label
            rows.append(_row(label, found, tables, with_unit=kind == "w1"))
    heads = [about.head, *(m.capitalize() for m in tables), "Floor"]
    return Table(f"{about.meaning} {SMALL_PRINT}", heads, rows)


def other_table(tables: dict[str, ScoreTable]) -> Table:
    """Return what is no divergence of densities: contacts, broken structures."""
    rows = []
    for metric in _names(tables):
        keys = dict.fromkeys(k for t in tables.values() for k in t.get(metric, {}))
        for key in (k for k in keys if k not in DIVERGENCES):
            found = {
                m: t[metric][key] for m, t in tables.items() if key in t.get(metric, {})
            }
            label = next(iter(found.values())).label
            what = OTHERS.get(key, key.replace("_", " "))
            rows.append(_row(f"{label}: {what}", found, tables, with_unit=True))
    heads = ["Other differences", *(m.capitalize() for m in tables), "Floor"]
    return Table(
        "Contact map: mean absolute difference over pairs of beads at least three "
        "apart, of mean distances and of the probability of being within 10 Å. Broken "
        "structures and strained bonds: shares of the model's weight; their floor is "
        "the reference's own. A |ln ratio| of 0.7 is a factor of two.",
        heads,
        rows,
    )


def _names(tables: dict[str, ScoreTable]) -> list[str]:
    return list(dict.fromkeys(name for table in tables.values() for name in table))


def _row(
    label: str, found: dict[str, Score], tables: dict[str, ScoreTable], with_unit: bool
) -> list[Cell]:
    leader = leading(found)
    any_score = next(iter(found.values()))
    unit = f", {any_score.unit}" if with_unit and any_score.unit else ""
    text = label[:1].upper() + label[1:] + unit
    return [
        Cell(text),
        *(score_cell(found.get(m), m == leader) for m in tables),
        Cell(words.divergence(any_score.floor)),
    ]


def score_cell(score: Score | None, best: bool) -> Cell:
    """Return a value with its interval below."""
    if score is None or not score.defined:
        return Cell("not defined" if score is not None else words.NONE)
    detail = ""
    if score.has_interval:
        low, high = words.divergence(score.low), words.divergence(score.high)
        detail = f"{low} to {high}"
    return Cell(words.divergence(score.value), detail, best)


def leading(found: dict[str, Score]) -> str | None:
    """Return the model that is better than all others beyond the intervals, if any."""
    known = {m: asdict(s) for m, s in found.items() if s.defined and s.has_interval}
    if len(known) < 2:
        return None
    best = min(known, key=lambda m: known[m]["value"])
    apart = all(exceeds(known[best], s) for m, s in known.items() if m != best)
    return best if apart else None
