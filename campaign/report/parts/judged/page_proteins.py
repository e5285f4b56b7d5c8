"""The page of a campaign of several proteins: how each came out, and where to look."""

import os

from campaign.report.kit.blocks import Block, Cell, Facts, Note, Section, Table
from campaign.report.kit.canvas import Canvas
from campaign.report.kit.top import Verdict, spell_title
from campaign.report.parts.judged.page_scores import SMALL_PRINT, leading, score_cell
from campaign.report.parts.judged.scores import DIVERGENCES, read_scores
from campaign.report.parts.judged.verdict import headline, headline_facts, kelvin_of
from campaign.report.parts.judged.worth import read_worth
from campaign.report.parts.judged.worth_words import say_worth
from campaign.report.parts.learnt_source import LearntSource
from campaign.telling import words

TABULATED = (
    ("tic0", "kl"), ("tica2d", "kl"), ("coverage", "outside"),
    ("contacts", "difference"),
)  # fmt: skip
WHAT = {"difference": "mean difference", "outside": "weight outside the 99 % area"}


def proteins(source: LearntSource, canvas: Canvas) -> Section:
    """Tabulate how far each model is from each protein's reference."""
    question = "One model was learnt from all of these: how does it do on each?"
    if source.paths.learns_each:
        question = "Each of these has models of its own: how near do they come to it?"
    section = Section("proteins", "Proteins", question)
    homes = [LearntSource(home) for home in source.paths.each_protein()]
    models = list(dict.fromkeys(m for home in homes for m in home.models))
    for metric, kind in TABULATED:
        rows, label = [], ""
        for home in homes:
            tables = {m: t for m in models if (t := read_scores(home, m))}
            found = {
                m: t[metric][kind]
                for m, t in tables.items()
                if kind in t.get(metric, {})
            }
            if not found:
                continue
            any_score = next(iter(found.values()))
            label, best = any_score.label, leading(found)
            rows.append([
                _name(source, home),
                *(score_cell(found.get(m), m == best) for m in models),
                Cell(words.divergence(any_score.floor)),
            ])  # fmt: skip
        if rows:
            about = DIVERGENCES[kind].meaning if kind in DIVERGENCES else ""
            title = label[:1].upper() + label[1:]
            what = DIVERGENCES[kind].head if kind in DIVERGENCES else WHAT[kind]
            heads = [f"{title}: {what}", *(m.capitalize() for m in models), "Floor"]
            section.blocks.append(Table(f"{about} {SMALL_PRINT}".strip(), heads, rows))
    if not section.blocks:
        text = "No model has been benchmarked on any of them yet."
        section.blocks.append(Note(text, "missing"))
        rows = [[_name(source, home)] for home in homes]
        section.blocks.append(Table("Each has a page of its own.", ["Protein"], rows))
    return section


def judge_proteins(source: LearntSource) -> Verdict:
    """Return the top of the page: a sentence for each protein."""
    said = []
    for home in map(LearntSource, source.paths.each_protein()):
        scores = {
            m: table["tic0"]["kl"]
            for m in home.models
            if (table := read_scores(home, m)) and "kl" in table.get("tic0", {})
        }
        if scores:
            worth = say_worth(read_worth(home), kelvin_of(home))
            said.append(f"{_spell(home)}: {worth or headline(scores)}")
    facts = [("Proteins", str(len(source.paths.proteins))), *headline_facts(source)]
    blocks: list[Block] = [Facts(facts, cards=True)]
    title = spell_title(str(source.config.get("name") or source.paths.name))
    none = "There is no verdict yet: no model has been benchmarked."
    return Verdict(title, " ".join(said) or none, blocks)


def _spell(home: LearntSource) -> str:
    return spell_title(str(home.paths.protein))


def _name(source: LearntSource, home: LearntSource) -> Cell:
    """Return a protein's name, which leads to its own page."""
    there = os.path.relpath(home.paths.report, source.paths.report.parent)
    sequence = str(home.system.get("sequence") or "")
    return Cell(_spell(home), words.count(len(sequence), "residue"), href=there)
