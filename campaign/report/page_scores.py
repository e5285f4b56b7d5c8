"""The table of the thesis (Table 4.4) for this protein: weighted beside unweighted."""

from campaign.report import words
from campaign.report.blocks import Block, Cell, Fold, Note, Section, Table
from campaign.report.canvas import Canvas
from campaign.report.scores import DIVERGENCES, Score, ScoreTable, read_scores
from campaign.report.sources import RunSource


def scores(source: RunSource, canvas: Canvas) -> Section:
    """Tabulate every divergence of every benchmarked model."""
    section = Section(
        "scores",
        "Scores",
        "How far is each model from the reference, and is the difference between them "
        "larger than chance?",
    )
    tables = {m: t for m in source.models if (t := read_scores(source, m))}
    if not tables:
        section.blocks.append(
            Note(
                "No model has been benchmarked yet, so there are no scores.", "missing"
            )
        )
        return section
    for model in ("weighted", "unweighted"):
        if model not in tables:
            section.blocks.append(
                Note(f"The {model} model has not been benchmarked yet.", "missing")
            )
    kinds = [d for d in DIVERGENCES if any(d in row for t in tables.values()
             for row in t.values())]  # fmt: skip
    main, others = kinds[:1], kinds[1:]
    section.blocks.extend(divergence_table(kind, tables) for kind in main)
    folded: list[Block] = [divergence_table(kind, tables) for kind in others]
    if folded:
        names = words.joined([DIVERGENCES[k].title for k in others])
        section.blocks.append(Fold(f"The same by {names}", folded))
    return section


def divergence_table(kind: str, tables: dict[str, ScoreTable]) -> Table:
    """Return one divergence of all models; a lead beyond chance is bold."""
    about = DIVERGENCES[kind]
    metrics = dict.fromkeys(
        name for table in tables.values() for name, row in table.items() if kind in row
    )
    rows = []
    for metric in metrics:
        found = {m: t[metric][kind] for m, t in tables.items()
                 if metric in t and kind in t[metric]}  # fmt: skip
        leader = leading(found)
        any_score = next(iter(found.values()))
        unit = any_score.unit if kind != "kl" else ""
        rows.append(
            [
                Cell(any_score.label, unit),
                *(score_cell(found.get(m), m == leader) for m in tables),
                Cell(words.divergence(any_score.floor)),
            ]
        )
    heads = [about.head, *(f"{m.capitalize()} model" for m in tables), "Floor"]
    return Table(
        f"{about.meaning} Small print: 95 % interval of a block bootstrap over "
        "lineages. Floor: half of the reference against its other half, what a perfect "
        "model would score. Bold: better, and the intervals do not overlap.",
        heads,
        rows,
    )


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
    """Return the model whose interval lies below those of all others, if one does."""
    known = {m: s for m, s in found.items() if s.defined and s.has_interval}
    if len(known) < 2:
        return None
    best = min(known, key=lambda m: known[m].value)
    apart = all(known[best].high < s.low for m, s in known.items() if m != best)
    return best if apart else None
