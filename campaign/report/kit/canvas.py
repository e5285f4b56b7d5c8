"""Draw a figure once; keep it as PNG, as numbers, and as SVG inside the page."""

import base64
import io
import json
import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from apps.science.files import atomic_path, make_folder, write_text
from campaign.report.kit import style
from campaign.report.kit.blocks import Picture

PNG_DPI = 180
LETTERS_PER_INCH = 13.5
_HANDLE_LETTERS = 5
_ROW_INCH = 0.17
"""Of a legend: letters that fit, what a handle takes of them, height of a row."""
FONTS = "system-ui, -apple-system, Segoe UI, Roboto, Helvetica, Arial, sans-serif"


class Canvas:
    """Saves figures under ``folder`` and returns them as pictures for the page.

    ``colours`` are of what several pictures draw, by its name.
    """

    def __init__(self, folder: Path, colours: Mapping[str, str] | None = None) -> None:
        self.folder = folder
        self._colours = dict(colours or {})
        make_folder(folder)

    def colour(self, name: str) -> str:
        """Return the colour of what has that name, the same on the whole page."""
        return self._colours.get(name, style.OTHERS[0])

    @contextmanager
    def axes(
        self, size: tuple[float, float] = style.PANEL
    ) -> Iterator[tuple[Figure, Axes]]:
        """Yield a figure with one pair of axes in the report's style."""
        with mpl.rc_context(style.RC):
            figure = Figure(figsize=size, layout="constrained")
            FigureCanvasAgg(figure)
            yield figure, figure.add_subplot()

    @contextmanager
    def stack(
        self,
        n_rows: int,
        size: tuple[float, float] = style.PANEL,
        heights: Sequence[float] | None = None,
    ) -> Iterator[tuple[Figure, list[Axes]]]:
        """Yield a figure with axes above each other that share their x axis.

        ``heights`` are in proportion; without them all are the same.
        """
        with mpl.rc_context(style.RC):
            figure = Figure(figsize=size, layout="constrained")
            FigureCanvasAgg(figure)
            grid = figure.subplots(
                n_rows, 1, sharex=True, squeeze=False, height_ratios=heights
            )
            yield figure, list(grid[:, 0])

    def keep(
        self,
        figure: Figure,
        name: str,
        *,
        caption: str,
        alt: str,
        numbers: Mapping[str, Any],
        wide: bool = False,
        raster_dpi: int = PNG_DPI,
    ) -> Picture:
        """Write ``name``.png and ``name``.json; return the picture as inline SVG.

        Must be called within ``axes``, whose style it needs. ``raster_dpi`` is of what
        is drawn as dots within the SVG.
        """
        with atomic_path(self.folder / f"{name}.png") as temporary:
            figure.savefig(temporary, dpi=PNG_DPI, metadata={"Software": "weft"})
        figure.set_layout_engine("none")  # laid out once, for both files
        body = {"caption": caption} | {k: plain(v) for k, v in numbers.items()}
        write_text(self.folder / f"{name}.json", json.dumps(body) + "\n")
        out = io.StringIO()
        figure.savefig(out, format="svg", dpi=raster_dpi, metadata={"Date": None})
        svg = re.sub(r"'?DejaVu Sans'?(, sans-serif)?", FONTS, out.getvalue())
        data = base64.b64encode(svg.encode()).decode()
        uri = f"data:image/svg+xml;base64,{data}"
        return Picture(name, uri, alt, caption, wide)


def count_iterations(axes: Axes) -> None:
    """Let the lower axis count iterations, in whole numbers."""
    axes.set_xlabel("iteration")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))


def above_axes(axes: Axes, *, small: bool = False) -> int:
    """Put the legend above the axes, where it hides no data; return its rows."""
    labels = axes.get_legend_handles_labels()[1]
    n_columns = make_room(axes, labels, 4)
    axes.legend(
        loc="lower left", bbox_to_anchor=(-0.12 if small else -0.02, 1.0),
        ncols=n_columns,
        columnspacing=0.9 if small else 1.3, handlelength=1.3 if small else 1.7,
        handletextpad=0.5, borderaxespad=0.1, fontsize=8.3 if small else 9,
    )  # fmt: skip
    return math.ceil(len(labels) / n_columns)


def make_room(axes: Axes, labels: Sequence[str], most: int) -> int:
    """Return how many labels fit into a row; a higher figure holds further rows."""
    figure = axes.get_figure()
    if not isinstance(figure, Figure) or not labels:
        return most
    room = LETTERS_PER_INCH * figure.get_figwidth()
    longest = max(map(len, labels)) + _HANDLE_LETTERS
    in_a_row = sum(map(len, labels)) + _HANDLE_LETTERS * len(labels)
    if len(labels) <= most and in_a_row <= room:
        return most
    n_columns = max(1, min(most, int(room // longest)))
    n_rows = math.ceil(len(labels) / n_columns)
    figure.set_figheight(figure.get_figheight() + _ROW_INCH * (n_rows - 1))
    return n_columns


def mark_resumes(axes: Axes, resumes: Iterable[float]) -> None:
    """Draw a dotted line at each time a later start took over."""
    for at in resumes:
        axes.axvline(at, color=style.QUIET, lw=1, ls=":")


def plain(value: Any) -> Any:
    """Turn arrays and numpy numbers into JSON; what is not finite becomes null."""
    if isinstance(value, Mapping):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, np.ndarray | list | tuple):
        return [
            plain(v) for v in (value.tolist() if hasattr(value, "tolist") else value)
        ]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float):
        return float(f"{value:.7g}") if math.isfinite(value) else None
    return value
