"""Each dihedral by itself: where every model puts it, beside the reference."""

from dataclasses import replace
from typing import Any

import numpy as np

from campaign.report.kit.blocks import Block, Fold, Gallery, Picture
from campaign.report.kit.canvas import Canvas
from campaign.report.parts.judged.density_pictures import draw_density
from campaign.report.parts.judged.scores import (
    FULL_CIRCLE,
    Density,
    read_arrays,
    read_details,
)
from campaign.report.parts.learnt_source import LearntSource
from campaign.telling import words

BACKBONE = {"C N CA C": "φ", "N CA C N": "ψ", "CA C N CA": "ω"}
FEW = 3
"""So many pictures stand open; of more, they are behind a line."""


def torsions(source: LearntSource, canvas: Canvas) -> list[Block]:
    """Return the pictures of every dihedral that a benchmark measured."""
    arrays = {
        m: found
        for m in source.models
        if "torsions/bins" in (found := read_arrays(source, m))
    }
    details = {m: read_details(source, m, "torsions")["each"] for m in arrays}
    if not details:
        return []
    n = min(len(each) for each in details.values())
    pictures = [
        _draw(k, {m: each[k] for m, each in details.items()}, arrays, source, canvas)
        for k in range(n)
    ]
    gallery = Gallery(pictures, columns=3)
    return [gallery] if n <= FEW else [Fold("Every dihedral by itself", [gallery])]


def _draw(
    k: int, told: dict[str, Any], arrays: dict[str, Any], source: LearntSource,
    canvas: Canvas,
) -> Picture:  # fmt: skip
    found = {}
    beads = next(iter(told.values()))["beads"]
    label = _spell(beads, source)
    for model in told:
        edges = arrays[model]["torsions/bins"]
        reference, own = (
            np.pad(arrays[model][f"torsions/each_{which}"][k], 1)
            for which in ("reference", "model")
        )
        found[model] = Density(label, "deg", edges, reference, own, period=FULL_CIRCLE)
    picture = draw_density(f"torsion_{k}", found, canvas)
    positive = words.percent(next(iter(told.values()))["reference_positive"])
    said = "; ".join(
        f"{model}: JS {words.divergence(one['js'])} (its halves "
        f"{words.divergence(one['js_between_halves_of_model'])}), above zero "
        f"{words.percent(one['model_positive'])}"
        for model, one in told.items()
    )
    question = f"Is {label} where it should be?"
    caption = f"{question} Reference: above zero {positive}; {said}."
    return replace(picture, caption=caption)


def _spell(beads: list[int], source: LearntSource) -> str:
    """Return a dihedral's name: a backbone's own, or that of its beads."""
    names = [str(n) for n in source.mapping.get("names") or []]
    resids = source.mapping.get("resids") or []
    if len(names) <= max(beads) or len(resids) <= max(beads):
        return f"dihedral {'-'.join(str(b + 1) for b in beads)}"
    greek = BACKBONE.get(" ".join(names[b] for b in beads))
    if greek is not None:
        return f"{greek} of residue {resids[beads[1]]}"
    return f"dihedral {' '.join(f'{names[b]}{resids[b]}' for b in beads)}"
