"""What the run showed, in one sentence made of its numbers, and how far to trust it."""

import numpy as np

from campaign.report.kit.blocks import Block, Facts, Note, Text
from campaign.report.kit.top import Verdict, say_unfinished, spell_title, time_facts
from campaign.report.parts.judged.convergence import find_doubts
from campaign.report.parts.judged.next_steps import show_steps
from campaign.report.parts.judged.page_scores import leading
from campaign.report.parts.judged.scores import (
    Score,
    read_details,
    read_scores,
    read_set,
)
from campaign.report.parts.judged.worth import read_worth
from campaign.report.parts.judged.worth_words import say_worth, tabulate_worth
from campaign.report.parts.learnt_source import LearntSource
from campaign.report.parts.we.history import read_history
from campaign.report.parts.we.page_ensemble import segment_ps
from campaign.telling import words

FEW_ITERATIONS = 100
FEW_EFFECTIVE = 100
"""Effective frames under which a density in 100 bins is mostly noise."""


def give_verdict(source: LearntSource) -> Verdict:
    """Say what was found, or how far the run has come."""
    scores = {
        m: table["tic0"]["kl"]
        for m in source.models
        if (table := read_scores(source, m)) and "kl" in table.get("tic0", {})
    }
    worth = read_worth(source)
    said, compared = say_worth(worth, kelvin_of(source)), headline(scores)
    blocks: list[Block] = [Text(compared)] if said else []
    blocks.append(Facts(headline_facts(source), cards=True))
    if worth:
        blocks.append(tabulate_worth(worth))
    if scores:
        blocks += show_steps(source, worth)
    blocks += say_unfinished(source)
    doubts = cautions(source, scores)
    if scores:
        doubts.extend(find_doubts(source))
    if doubts:
        blocks.append(Text("What is far from converged here:"))
    blocks.extend(Note(text, "caution") for text in doubts)
    return Verdict(title(source), said or compared, blocks)


def kelvin_of(source: LearntSource) -> float | None:
    """Return the temperature of the reference, where it is known."""
    found = source.system.get("temperature_kelvin")
    return float(found) if isinstance(found, int | float) else None


def title(source: LearntSource) -> str:
    """Return the protein's name as the campaign has it."""
    fold = source.asked_system.get("fold")
    name = source.paths.protein or fold or source.config.get("name")
    return spell_title(str(name or source.paths.name))


def headline(scores: dict[str, Score]) -> str:
    """Return one sentence about the slowest coordinate."""
    known = {m: s for m, s in scores.items() if s.defined}
    if not known:
        return (
            "There is no verdict yet: no model has been benchmarked. Below is what the "
            "run has so far."
        )
    if len(known) == 1:
        ((model, score),) = known.items()
        return (
            f"Only the {model} model has been benchmarked: on the slowest coordinate "
            f"(TIC 0) its distance from the reference is KL {spell(score)}; the "
            f"reference against itself gives {words.divergence(score.floor)}."
        )
    ranked = sorted(known, key=lambda m: known[m].value)
    first, second = ranked[:2]
    better, worse = known[first], known[second]
    values = f"KL {spell(better)} against {spell(worse)}"
    floor = f"The reference against itself gives {words.divergence(better.floor)}"
    if worse.value <= better.floor:
        floor += ", so both are as near as this reference can tell"
    elif better.value <= better.floor:
        floor += f", so the {first} model is as near as this reference can tell"
    if leading(known):
        return (
            f"On the slowest coordinate (TIC 0) the {first} model is closer to the "
            f"reference than the {second} one: {values}. The difference exceeds their "
            f"95\N{NO-BREAK SPACE}% intervals. {floor}."
        )
    return (
        f"On the slowest coordinate (TIC 0) this run cannot tell the {first} model "
        f"from the {second} one: {values}. The difference is within their "
        f"95\N{NO-BREAK SPACE}% intervals. {floor}."
    )


def spell(score: Score) -> str:
    """Return a value with its interval in brackets."""
    text = words.divergence(score.value)
    if not score.has_interval:
        return text
    low, high = words.divergence(score.low), words.divergence(score.high)
    return f"{text} [{low} to {high}]"


def headline_facts(source: LearntSource) -> list[tuple[str, str]]:
    """Return the numbers that a reader wants first."""
    rows: list[tuple[str, str]] = []
    if source.system.get("sequence"):
        n = len(source.system["sequence"])
        rows.append(("Protein", words.count(n, "residue")))
    if source.journal:
        n_segments = sum(i.n_segments for i in source.journal)
        picoseconds = segment_ps(source.config)
        if picoseconds:
            rows.append(("Sampled by WE", words.simulated(n_segments * picoseconds)))
        rows.append(("WE iterations", f"{len(source.journal):,}"))
    return rows + time_facts(source)


def cautions(source: LearntSource, scores: dict[str, Score]) -> list[str]:
    """Return reasons not to trust the numbers too far, each with its figure."""
    found = []
    if source.journal:
        history = read_history(source.journal)
        n_iter, ess = len(history), history.late_ess
        walkers = float(np.median(history["walkers"]))
        if n_iter < FEW_ITERATIONS:
            found.append(
                f"A short run: {words.count(n_iter, 'iteration')} of weighted "
                f"ensemble, {words.number(ess)} of {words.number(walkers)} walkers "
                "effective. WE weights are unbiased for the law at each time, but are "
                "equilibrium weights only after relaxation; a demo does not reach it."
            )
    noisy = []
    for model in scores:
        about = read_set(source, model)
        worth, n_frames = about.get("ess"), about.get("n_frames", 0)
        if isinstance(worth, int | float) and worth < FEW_EFFECTIVE:
            noisy.append(f"{words.number(worth)} frames of {n_frames:,} ({model})")
    if noisy:
        found.append(
            f"Benchmarks are worth only {words.joined(noisy)}, by effective "
            "sample size: their densities are noisy."
        )
    broken = [
        f"{words.percent(share)} ({model})"
        for model, share in intact_at_end(source).items()
        if share < 0.99
    ]
    if broken:
        found.append(
            "At the end of the benchmark not all of the weight was in intact "
            f"structures: {words.joined(broken)} (see Stability)."
        )
    floors = [s.floor for s in scores.values() if s.defined and np.isfinite(s.floor)]
    if floors and floors[0] > 0.5:
        found.append(
            "The floor is high: one half of the reference differs from the other by "
            f"KL {words.divergence(floors[0])} on TIC 0. The reference itself is not "
            "converged, and no model can be judged more finely than that."
        )
    return found


def intact_at_end(source: LearntSource) -> dict[str, float]:
    """Return the share of each model's weight that is intact at the end."""
    shares = {
        m: read_details(source, m, "stability").get("intact_at_end")
        for m in source.models
    }
    return {m: float(s) for m, s in shares.items() if isinstance(s, int | float)}
