"""Planes of the slow coordinates, model over reference, and every frame as a point."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes

from apps.science.arrays import Array, IntArray
from campaign.report.kit import style
from campaign.report.kit.blocks import Block, Fold, Gallery, Picture
from campaign.report.kit.canvas import Canvas
from campaign.report.parts.judged.clouds import Basins, Cloud
from campaign.report.parts.judged.landscape import Plane, make_planes
from campaign.telling import words
from campaign.telling.colours import APP_COLOURS

N_POINTS = 1500
"""Frames drawn of each set; which ones is drawn by lot."""

CONTOURS = (-4, -3, -2, -1)
"""ln of the density over its maximum."""

POINT_DPI = 110

NAMED_SHARE = 0.01
"""A basin with less weight than this has no number in the picture."""


def draw_planes(
    clouds: dict[str, Cloud], native: Array | None, canvas: Canvas
) -> list[Block]:
    """Draw contours in the first plane, and the points of every plane in a fold.

    ``native`` is the native structure's place, (n_dim,), None without one.
    """
    planes = make_planes(clouds, 0)
    mark = None if native is None else native[:2]
    contours = [
        draw_contours(name, planes["reference"], plane, mark, canvas)
        for name, plane in planes.items()
        if name != "reference"
    ]
    blocks: list[Block] = [Gallery(contours, columns=3)] if contours else []
    galleries: list[Block] = []
    for axis in range(clouds["reference"].n_dim - 1 if clouds else 0):
        galleries.extend(
            Gallery(list(row), columns=3)
            for row in _draw_points(clouds, axis, native, canvas)
        )
    if galleries:
        title = "Every frame as a point: by the walk it came from, and by basin"
        blocks.append(Fold(title, galleries))
    return blocks


def draw_contours(
    name: str, reference: Plane, model: Plane, native: Array | None, canvas: Canvas
) -> Picture:
    """Draw a model's density as lines over the reference's in grey."""
    seen, beyond = reference.coverage(model.points)
    colour = canvas.colour(name)
    densities = {"reference": reference.log_density(), name: model.log_density()}
    x, y = reference.centres(0), reference.centres(1)
    with canvas.axes(style.SMALL) as (figure, axes):
        axes.contourf(x, y, densities["reference"].T, levels=[*CONTOURS, 0],
                      cmap="Greys", vmin=-6, vmax=3)  # fmt: skip
        axes.contour(x, y, densities[name].T, levels=CONTOURS, colors=colour,
                     linestyles="solid", linewidths=1.2)  # fmt: skip
        _mark_native(axes, native)
        axes.set_title(f"{name.capitalize()} over reference", color=colour)
        axes.set_xlabel("TIC 0")
        axes.set_ylabel("TIC 1")
        return canvas.keep(
            figure,
            f"contours_{name}",
            caption=f"Is the {name} model where the reference is? Lines: the model's "
            "density, grey: the reference's, each step a factor e. The model came to "
            f"{words.percent(seen)} of the area that the reference occupies; "
            f"{words.percent(beyond)} of its frames lie outside it."
            + _say_native(native),
            alt=f"Contours of the {name} model over those of the reference",
            numbers={
                "centres_0": x, "centres_1": y, "native": native,
                "share_of_reference_seen": seen, "share_outside": beyond,
                **{f"ln_density_{k}": v for k, v in densities.items()},
            },
        )  # fmt: skip


@dataclass(frozen=True)
class Colouring:
    """What the colours of points say.

    Attributes
    ----------
    key : in the file's name
    groups : (n,), 0..n_groups-1
    colours : (n_groups, 4)
    shares : (n_groups,) of the weight, written into the picture; None for none
    """

    key: str
    groups: IntArray
    colours: Array
    caption: str
    shares: Array | None = None


def _draw_points(
    clouds: dict[str, Cloud], axis: int, native: Array | None, canvas: Canvas
) -> Iterator[Iterator[Picture]]:
    """Yield a row of pictures by walk and a row by basin, of one plane.

    Where there is but one basin, the third coordinate takes its place, if TICA kept it.
    """
    both = slice(axis, axis + 2)
    reference = clouds["reference"]
    basins = Basins.of(reference.points[:, both], reference.weights)
    mark = None if native is None else native[both]

    def by_walk(cloud: Cloud) -> Colouring:
        n_walks = int(cloud.walks.max()) + 1
        told = "Which walk came where? One colour for each of "
        colours = group_colours(n_walks)
        return Colouring("walks", cloud.walks, colours, told + f"{n_walks}.")

    def by_basin(cloud: Cloud) -> Colouring:
        points = cloud.points[:, both]
        shares = basins.shares(points, cloud.weights)
        told = "How is the weight shared between basins? Numbers: share of the weight."
        colours = group_colours(len(basins))
        return Colouring("basins", basins.assign(points), colours, told, shares)

    def by_third(cloud: Cloud) -> Colouring:
        third = axis + 2
        fifths = np.quantile(reference.points[:, third], [0.2, 0.4, 0.6, 0.8])
        told = f"Does TIC {third} part what lies together here? From its lowest fifth "
        told += "in the reference (dark) to its highest (yellow)."
        groups = np.searchsorted(fifths, cloud.points[:, third])
        colours = np.asarray(colormaps["viridis"](np.linspace(0, 0.97, 5)))
        return Colouring("third", groups, colours, told)

    kinds: list[Callable[[Cloud], Colouring]] = [by_walk]
    if len(basins) > 1:
        kinds.append(by_basin)
    elif reference.n_dim > axis + 2:
        kinds.append(by_third)
    planes = make_planes(clouds, axis)
    for colour in kinds:
        yield (
            draw_points(name, planes[name], axis, colour(cloud), mark, canvas)
            for name, cloud in clouds.items()
        )


def draw_points(
    name: str,
    plane: Plane,
    axis: int,
    colouring: Colouring,
    native: Array | None,
    canvas: Canvas,
) -> Picture:
    """Draw frames of one set as points in a plane, coloured by group."""
    n = len(plane.points)
    rows = np.random.default_rng(0).permutation(n)[:N_POINTS]
    groups = colouring.groups[rows]
    numbers: dict[str, Any] = {
        "columns": [f"tic_{axis}", f"tic_{axis + 1}", "weight", colouring.key],
        "rows": np.column_stack(
            [plane.points[rows].round(4), plane.weights[rows], groups]
        ),
        "native": native,
    }
    with canvas.axes(style.SMALL) as (figure, axes):
        x, y = plane.points[rows].T
        axes.scatter(
            x, y, c=colouring.colours[groups], s=5, lw=0, alpha=0.75, rasterized=True
        )
        if colouring.shares is not None:
            numbers["shares"] = colouring.shares
            _write_shares(axes, plane, colouring.groups, colouring.shares)
        _mark_native(axes, native)
        axes.set_xlim(plane.edges[0][0], plane.edges[0][-1])
        axes.set_ylim(plane.edges[1][0], plane.edges[1][-1])
        axes.set_xlabel(f"TIC {axis}")
        axes.set_ylabel(f"TIC {axis + 1}")
        axes.set_title(name.capitalize(), color=canvas.colour(name))
        return canvas.keep(
            figure,
            f"points_{colouring.key}_{axis}_{name}",
            caption=colouring.caption + _say_native(native),
            alt=f"Frames of {name} over TIC {axis} and TIC {axis + 1}",
            numbers=numbers,
            raster_dpi=POINT_DPI,
        )


def group_colours(n_groups: int) -> Array:
    """Return one colour (n_groups, 4) for each group, neighbours apart."""
    if n_groups <= len(APP_COLOURS):
        from matplotlib.colors import to_rgba_array

        return np.asarray(to_rgba_array(list(APP_COLOURS[:n_groups])))
    return np.asarray(colormaps["turbo"](np.linspace(0.03, 0.97, n_groups)))


def _write_shares(axes: Axes, plane: Plane, groups: IntArray, shares: Array) -> None:
    for group, share in enumerate(shares):
        mine = groups == group
        if share < NAMED_SHARE or not mine.any():
            continue
        x, y = np.average(plane.points[mine], axis=0, weights=plane.weights[mine])
        axes.text(
            x, y, words.percent(float(share)), ha="center", va="center", fontsize=9,
            weight="bold",
            bbox={"boxstyle": "round,pad=0.2", "fc": "white", "ec": "none",
                  "alpha": 0.8},
        )  # fmt: skip


def _mark_native(axes: Axes, native: Array | None) -> None:
    if native is not None:
        axes.plot(*native[:, None], marker="^", ms=9, mfc="black", mec="white",
                  mew=1.2, ls="", zorder=5)  # fmt: skip


def _say_native(native: Array | None) -> str:
    return "" if native is None else " Triangle: the native structure."
