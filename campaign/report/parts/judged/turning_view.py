"""The data of the view that a person turns: structures over time, ready for its script.

A canvas of its own and not a plotting library: plotly's script alone is 4.8 MB and
needs WebGL, this one is 8 kB and draws wherever a page can be read.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from apps.science.arrays import Array
from campaign.report.kit.blocks import Turning
from campaign.report.parts.judged.courses import Yardstick
from campaign.report.parts.judged.structures import STRETCHED, Trace, frame_label

MAX_FRAMES = 60
MIN_FRAMES = 10
MAX_NUMBERS = 60_000
"""Coordinates in the page, about 300 kB; a long chain is shown at fewer times."""

LARGEST = 1.4
"""A panel is at most this many times as large as the reference needs."""

SCRIPT = Path(__file__).with_suffix(".js")
PER_ANGSTROM = 100
"""Coordinates are whole hundredths of an Angstrom."""


def count_frames(n_beads: int, n_sets: int) -> int:
    """Return at how many times each set can be shown."""
    room = MAX_NUMBERS // (3 * max(1, n_beads) * max(1, n_sets))
    return int(np.clip(room, MIN_FRAMES, MAX_FRAMES))


def make_turning(
    traces: Mapping[str, Sequence[Trace]],
    view: Array,
    yardstick: Yardstick,
    residues: Sequence[int],
    ghost: tuple[str, Array],
    colour: Callable[[str], str],
) -> Turning:
    """Return the view of several sets beside each other.

    Parameters
    ----------
    traces : of the reference and of each model, superposed on the ghost
    view : (3, 3), from ``lay_flat``: how the structures are turned at first
    residues : (n_beads,), number of each bead's residue; beads are coloured by it
    ghost : what is drawn in grey in each panel: its name and beads (n_beads, 3)
    colour : of a model, by its name
    """
    name, beads = ghost
    body = {
        "bonds": np.asarray(yardstick.bonds).tolist(),
        "lengths": [round(float(v), 2) for v in yardstick.lengths],
        "stretched": STRETCHED,
        "bond": round(float(np.median(yardstick.lengths)), 2),
        "half": round(measure_half(traces), 2),
        "tones": place_along(residues),
        "native": whole_hundredths((beads - beads.mean(axis=0)) @ view.T),
        "sets": [
            {
                "name": label[:1].upper() + label[1:],
                "colour": colour(label),
                "frames": [_frame(t, view) for t in found],
            }
            for label, found in traces.items()
        ],
    }
    return Turning(
        data=json.dumps(body, separators=(",", ":")).replace("<", "\\u003c"),
        script=SCRIPT.read_text(encoding="utf-8"),
        ghost=name,
        caption="Do the models move like the protein? All panels turn together and "
        "show the same share of each course. Coloured along the chain from N (blue) to "
        f"C (red), nearer parts darker; grey: {name}; below each, the time and the "
        "RMSD to it. A bond stretched by more than 35 % is a red dotted line.",
        alt="Bead traces of the reference and of each model over time, to be turned",
    )


def measure_half(traces: Mapping[str, Sequence[Trace]]) -> float:
    """Return half the side of a panel, Angstrom, however the structures are turned.

    A model that flies apart may leave its panel, so that the others stay large.
    """
    reach = {
        name: [
            float(np.linalg.norm(t.beads, axis=1).max())
            for t in found
            if np.isfinite(t.beads).all()
        ]
        for name, found in traces.items()
    }
    usual = max(reach["reference"], default=5.0)
    farthest = max((r for each in reach.values() for r in each), default=usual)
    return float(np.clip(farthest, usual, LARGEST * usual))


def place_along(residues: Sequence[int]) -> list[float]:
    """Return where on the chain each bead is: 0 in the first residue, 1 in the last."""
    rank = np.unique(np.asarray(residues), return_inverse=True)[1]
    return [round(float(r) / max(1, int(rank.max())), 3) for r in rank]


def whole_hundredths(beads: Array) -> list[int]:
    """Return coordinates in a row, rounded to 0.01 Angstrom."""
    return [int(v) for v in np.rint(PER_ANGSTROM * beads).ravel()]


def _frame(trace: Trace, view: Array) -> dict[str, Any]:
    finite = bool(np.isfinite(trace.beads).all())
    return {
        "label": frame_label(trace),
        "xyz": whole_hundredths(trace.beads @ view.T) if finite else None,
    }
