"""The sentence on what a model is good for, and the table of its figures."""

from typing import Any, Final

from campaign.report.kit.blocks import Cell, Table
from campaign.report.parts.judged.scores import Score
from campaign.report.parts.judged.worth import (
    MOST,
    WORDS,
    Share,
    Worth,
    is_small,
    times_floor,
)
from campaign.telling import words

CAPTION: Final = (
    "The reference's area is the smallest part of the plane of TIC 0 and TIC 1 that "
    "holds 99 % of its weight; a model's likewise. Its own halves: one half of the "
    "reference in the area of the other. Below the figures: 95 % intervals."
)


def say_worth(found: list[Worth], kelvin: Any = None) -> str:
    """Return what the best model can be used for, and a clause on each other."""
    if not found:
        return ""
    best, *others = found
    said = [_sentence(best, kelvin)]
    said += [_clause(one, best) for one in others]
    return " ".join(said)


def _sentence(one: Worth, kelvin: Any) -> str:
    name = f"the {one.model} model"
    inside = words.percent(1.0 - one.outside.value)
    if one.broken > MOST:
        return (
            f"No use yet: {words.percent(one.broken)} of {name}'s weight is in broken "
            "structures. Do not use it for anything."
        )
    if one.grade == "useless":
        return (
            f"No use yet: {words.percent(one.outside.value)} of {name}'s weight lies "
            "where the reference hardly ever is. Do not use it for structures, "
            "populations, free energies or rates."
        )
    if one.grade == "stuck":
        return (
            f"Stuck: {words.percent(one.missed.value)} of the reference's weight lies "
            f"where {name} hardly ever is. What it shows is ground that the reference "
            "knows; do not use it for populations, free energies or rates."
        )
    if one.grade == "middling":
        reasons = one.faults()
        if len(reasons) > 1 and not is_small(one.outside):
            reasons = reasons[:-1]  # what is inside says it
        return (
            f"Middling: {inside} of {name}'s weight lies within the reference's area, "
            f"but {words.joined(reasons)}. Use it to look for structures, not "
            "for populations, free energies or rates."
        )
    if one.grade == "untold":
        return (
            f"Undecided: {inside} of {name}'s weight lies within the reference's area, "
            "but this reference is too short to tell a good model from a middling "
            "one (below it says why). Run it longer before you use the model for "
            "populations, free energies or rates."
        )
    at = f" at {kelvin:g} K" if isinstance(kelvin, int | float) else ""
    halves = words.percent(1.0 - one.outside.floor)
    return (
        f"Good: {inside} of {name}'s weight lies within the reference's area (its own "
        f"halves: {halves}). It can stand in for the reference in structures, "
        f"populations and free energies{at}, as finely as this reference tells."
    )


def _clause(one: Worth, best: Worth) -> str:
    """Return how another model is, in the figure that its grade comes from."""
    name = f"The {one.model} model"
    said = f"{name} has {words.percent(1.0 - one.outside.value)} of its weight there"
    if one.broken > MOST:
        said = f"{name} has {words.percent(one.broken)} of its weight in broken ones"
    elif one.grade == "useless":
        share = words.percent(one.outside.value)
        there = "there" if best.grade == "useless" else "where it hardly ever is"
        said = f"{name} has {share} of its weight {there}"
    elif one.grade == "stuck":
        share = words.percent(one.missed.value)
        said = f"{name} misses {share} of the reference's weight"
    return f"{said}." if one.grade == best.grade else f"{said}: {WORDS[one.grade]}."


def tabulate_worth(found: list[Worth]) -> Table:
    """Return the figures behind the sentence, the reference's own beside them."""
    any_one = next((one for one in found if one.outside.defined), found[0])
    rows = [
        [
            Cell("Weight inside the reference's area"),
            *(_share_cell(one.outside) for one in found),
            Cell(words.percent(1.0 - any_one.outside.floor), "its own halves"),
        ],
        [
            Cell("Reference's weight that it reaches"),
            *(_share_cell(one.missed) for one in found),
            Cell(words.percent(1.0 - any_one.missed.floor), "its own halves"),
        ],
    ]
    if any_one.usual_folded is not None:
        rows.append(
            [
                Cell("Folded"),
                *(_folded_cell(one.folded) for one in found),
                _folded_cell(any_one.usual_folded),
            ]
        )
    if any(one.slow is not None for one in found):
        rows.append(
            [
                Cell("Distance on TIC 0, times the floor"),
                *(_slow_cell(one.slow) for one in found),
                Cell("1", "its own halves"),
            ]
        )
    heads = [
        "How good by itself", *(one.model.capitalize() for one in found), "Reference",
    ]  # fmt: skip
    return Table(CAPTION, heads, rows)


def _share_cell(score: Score) -> Cell:
    """Return what is left of a share that is not there."""
    if not score.defined:
        return Cell("not defined")
    detail = ""
    if score.has_interval:
        low, high = words.percent(1.0 - score.high), words.percent(1.0 - score.low)
        detail = f"{low} to {high}"
    return Cell(words.percent(1.0 - score.value), detail)


def _folded_cell(share: Share | None) -> Cell:
    if share is None:
        return Cell("not defined")
    value, low, high = map(words.percent, share)
    return Cell(value, f"{low} to {high}")


def _slow_cell(score: Score | None) -> Cell:
    if score is None:
        return Cell("not defined")
    detail = f"KL {words.divergence(score.value)}"
    return Cell(words.number(times_floor(score), 2), detail)
