"""One look for every figure: colours, fonts, sizes.

The colours are from Okabe and Ito's palette, told apart with any colour vision; lines
differ in their dashes too, so a grey print is readable.
"""

import itertools
from collections.abc import Iterable
from typing import Any, Final

from campaign.declared import Stage
from campaign.telling.colours import APP_COLOURS

BASELINE: Final = "#3b4252"
FIRST: Final = "#00836a"
SECOND: Final = "#d1670a"
OTHERS: Final = ("#0072b2", "#b0468c", "#8a6d00", "#c0392b")
INK: Final = "#1f2933"
QUIET: Final = "#7b8794"
GRID: Final = "#e4e7eb"

PANEL: Final = (5.0, 3.15)
"""Width and height of an ordinary panel, inch: two stand side by side."""

SMALL: Final = (3.7, 3.2)
"""A panel of which three stand side by side."""

WIDE_INCH: Final = 10.4

RC: Final[Any] = {
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 9.5,
    "axes.titlesize": 10.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.titlepad": 8,
    "axes.labelcolor": INK,
    "axes.edgecolor": "#9aa5b1",
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.unicode_minus": True,
    "grid.color": GRID,
    "grid.linewidth": 0.7,
    "text.color": INK,
    "xtick.color": "#52606d",
    "ytick.color": "#52606d",
    "xtick.major.width": 0.8,
    "ytick.major.width": 0.8,
    "lines.linewidth": 1.9,
    "lines.solid_capstyle": "round",
    "legend.frameon": False,
    "legend.fontsize": 9,
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
    "svg.fonttype": "none",
    "svg.hashsalt": "weft",
}


class StageColours(dict[str, str]):
    """A colour for each stage by its name.

    Attributes
    ----------
    kinds : of each stage, by its name
    """

    def __init__(self, colours: dict[str, str], kinds: dict[str, str]) -> None:
        super().__init__(colours)
        self.kinds = kinds


def stage_colours(stages: Iterable[Stage]) -> StageColours:
    """Return a colour for each stage; those of a kind have tints of one colour."""
    stages = list(stages)
    hues = itertools.cycle(APP_COLOURS)
    hue_of: dict[str, str] = {}
    seen: dict[str, int] = {}
    colours = {}
    for stage in stages:
        kind = stage.kind
        hue = hue_of.setdefault(kind, "") or next(hues)
        hue_of[kind] = hue
        seen[kind] = seen.get(kind, -1) + 1
        colours[stage.name] = _tint(hue, min(0.6, 0.45 * seen[kind]))
    return StageColours(colours, {stage.name: stage.kind for stage in stages})


def _tint(colour: str, white: float) -> str:
    """Return a colour with a share of white in it."""
    parts = [int(colour[k : k + 2], 16) for k in (1, 3, 5)]
    return "#" + "".join(f"{round(p + (255 - p) * white):02x}" for p in parts)
