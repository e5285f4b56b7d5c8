"""Densities of each quantity, free-energy maps and contact maps, model by model."""

from dataclasses import dataclass

import numpy as np

from apps.science.arrays import Array
from campaign.report.kit import style
from campaign.report.kit.blocks import (
    Block,
    Fold,
    Gallery,
    Note,
    Picture,
    Section,
    Text,
)
from campaign.report.kit.canvas import Canvas
from campaign.report.parts.judged.clouds import read_clouds, read_native_point
from campaign.report.parts.judged.density_pictures import (
    draw_density,
    further_densities,
)
from campaign.report.parts.judged.landscape import AXES, Plane, make_planes
from campaign.report.parts.judged.plane_points import draw_planes
from campaign.report.parts.judged.scores import read_arrays, read_densities
from campaign.report.parts.judged.structure_sets import read_native_beads
from campaign.report.parts.judged.torsion_pictures import torsions
from campaign.report.parts.learnt_source import LearntSource
from campaign.telling import words

DEFAULT_KELVIN = 300.0

HOW_TO_READ = (
    "Grey is the reference, lines are the models; bands, where drawn, hold 95 % of "
    "the bootstrap. All are smoothed by a kernel of 1.5 bins for the eye; scores use "
    "the bins as they are."
)


def densities(source: LearntSource, canvas: Canvas) -> Section:
    """Draw every density, and the maps of the plane of the slow coordinates."""
    section = Section(
        "densities",
        "Densities and maps",
        "Where do the models put their probability, and where should it be?",
    )
    clouds = read_clouds(source, source.models)
    found = {m: d for m in source.models if (d := read_densities(source, m))}
    for model, more in further_densities(clouds).items():
        if model in found:
            found[model] |= more
    every = dict.fromkeys(n for d in found.values() for n in d)
    names = sorted(every, key=lambda n: not n.startswith("tic"))
    if names:
        pictures = [
            draw_density(n, {m: d[n] for m, d in found.items() if n in d}, canvas)
            for n in names
        ]
        section.blocks.extend([Text(HOW_TO_READ), Gallery(pictures, columns=3)])
        section.blocks.extend(torsions(source, canvas))
    else:
        text = "No model has been benchmarked yet, so there are no densities."
        section.blocks.append(Note(text, "missing"))
    planes = make_planes(clouds, 0)
    if planes:
        kelvin = float(source.system.get("temperature_kelvin", DEFAULT_KELVIN))
        usual = planes["reference"].free_energy(kelvin)
        top = float(np.clip(np.ceil(2 * np.nanpercentile(usual, 98)) / 2, 1.0, 8.0))
        area = read_area(source)
        maps = [
            draw_map(n, plane, kelvin, top, canvas, area) for n, plane in planes.items()
        ]
        section.blocks.append(Gallery(maps, columns=3))
        native = read_native_point(source, read_native_beads(source))
        section.blocks.extend(draw_planes(clouds, native, canvas))
    else:
        text = "The plane of TIC 0 and TIC 1 is drawn once the reference is made."
        section.blocks.append(Note(text, "missing"))
    section.blocks.extend(_contact_maps(source, canvas))
    return section


@dataclass(frozen=True)
class Area:
    """The reference's 99 % area: cells (n, n) between edges (n + 1,) of either TIC."""

    edges: tuple[Array, Array]
    cells: Array


def read_area(source: LearntSource) -> Area | None:
    """Return the area that models are judged by; None where no benchmark kept it."""
    keys = ("tica2d/edges_0", "tica2d/edges_1", "coverage/reference_area")
    for model in source.models:
        arrays = read_arrays(source, model)
        if all(key in arrays for key in keys):
            first, second, cells = (arrays[key] for key in keys)
            return Area((first, second), cells)
    return None


def draw_map(
    name: str,
    plane: Plane,
    kelvin: float,
    top: float,
    canvas: Canvas,
    area: Area | None = None,
) -> Picture:
    """Draw the free energy over TIC 0 and TIC 1, the reference's area encircled."""
    energy = plane.free_energy(kelvin)
    with canvas.axes(style.SMALL) as (figure, axes):
        mesh = axes.pcolormesh(
            *plane.edges, energy.T, cmap="viridis", vmin=0, vmax=top,
            rasterized=True,
        )  # fmt: skip
        if area is not None:
            axes.contour(
                *map(_middles_and_beyond, area.edges), np.pad(area.cells, 1).T,
                levels=[0.5], colors=style.INK, linewidths=1.1,
            )  # fmt: skip
        bar = figure.colorbar(mesh, ax=axes, pad=0.02, aspect=28, extend="max")
        bar.set_label("kcal/mol")
        axes.set_title(name.capitalize(), color=canvas.colour(name))
        axes.set_xlabel(AXES[0])
        axes.set_ylabel(AXES[1])
        which = "the reference" if name == "reference" else f"the {name} model"
        return canvas.keep(
            figure,
            f"free_energy_{name}",
            caption=f"Where are the basins, and how deep? Free energy of {which}, from "
            "its lowest point up; white was never visited. All maps have the same axes "
            "and colours."
            + (" The line encloses the reference's 99 % area." if area else ""),
            alt=f"Free energy of {which} over TIC 0 and TIC 1",
            numbers={
                "edges_0": plane.edges[0],
                "edges_1": plane.edges[1],
                "free_energy_kcal_per_mol": energy,
            },
        )


def _middles_and_beyond(edges: Array) -> Array:
    """Return the middle of each bin, and of one more at either end."""
    width = edges[1] - edges[0]
    return np.asarray(np.arange(-1, len(edges)) * width + edges[0] + 0.5 * width)


def _contact_maps(source: LearntSource, canvas: Canvas) -> list[Block]:
    found = {m: a for m in source.models if (a := read_arrays(source, m))}
    blocks: list[Block] = []
    for kind, unit, title in (
        ("distance", "Å", "Mean distances"),
        ("contact", "", "Contact probability"),
    ):
        maps = {
            m: a[f"contacts/model_{kind}"] - a[f"contacts/reference_{kind}"]
            for m, a in found.items()
            if f"contacts/model_{kind}" in a
        }
        if not maps:
            continue
        usual = found[next(iter(maps))][f"contacts/reference_{kind}"]
        names = bead_names(source, len(usual))
        largest = max(float(np.nanmax(np.abs(d))) for d in maps.values())
        top = float(np.clip(largest, 0.5, 15.0)) if unit else max(largest, 0.05)
        about = MapAbout(kind, unit, title, names)
        pictures = [draw_contacts("reference", usual, about, None, canvas)]
        pictures += [draw_contacts(m, d, about, top, canvas) for m, d in maps.items()]
        gallery = Gallery(pictures, columns=3)
        blocks.append(
            gallery if unit else Fold("Contact probabilities, within 10 Å", [gallery])
        )
    return blocks


@dataclass(frozen=True)
class MapAbout:
    """What a map between beads shows: kind, unit, title and the beads' names."""

    kind: str
    unit: str
    title: str
    beads: list[str]


def draw_contacts(
    name: str, matrix: Array, about: MapAbout, top: float | None, canvas: Canvas
) -> Picture:
    """Draw a map of the reference, or a model's difference from it."""
    unit = f", {about.unit}" if about.unit else ""
    beads = about.beads
    with canvas.axes(style.SMALL) as (figure, axes):
        if top is None:
            image = axes.imshow(
                matrix, cmap="Greys_r" if unit else "Greys", origin="lower",
                vmin=None if unit else 0, vmax=None if unit else 1,
            )  # fmt: skip
            label, title = about.title.lower() + unit, "Reference"
            caption = (
                f"{about.title} of beads in the reference. Beads nearer than three "
                "along the chain are left out (hatched)."
            )
        else:
            # red is always "nearer to each other"
            colours = "RdBu" if about.unit else "RdBu_r"
            image = axes.imshow(
                matrix, cmap=colours, origin="lower", vmin=-top, vmax=top
            )
            label = "difference" + unit
            title = f"{name.capitalize()} \N{MINUS SIGN} reference"
            largest = words.number(float(np.nanmax(np.abs(matrix))))
            caption = (
                f"Where does the {name} model differ? Red: beads nearer to each other "
                "than in the reference; blue: farther apart. Largest difference "
                f"{largest}{' ' + about.unit if about.unit else ''}."
            )
        axes.grid(visible=False)
        axes.patch.set(facecolor="#f4f5f7", hatch="////", edgecolor="#d9dde2")
        figure.colorbar(image, ax=axes, pad=0.02, aspect=28, label=label)
        shown = range(0, len(beads), max(1, -(-len(beads) // 12)))
        axes.set_xticks(list(shown), [beads[k] for k in shown], rotation=90, fontsize=8)
        axes.set_yticks(list(shown), [beads[k] for k in shown], fontsize=8)
        axes.set_title(title, color=canvas.colour(name))
        return canvas.keep(
            figure,
            f"{about.kind}_map_{name}",
            caption=caption,
            alt=caption,
            numbers={"beads": beads, "unit": about.unit, "map": matrix},
        )


def bead_names(source: LearntSource, n_beads: int) -> list[str]:
    """Return a short name for each bead: residue and number, atom where it differs."""
    mapping = source.mapping
    residues, numbers = mapping.get("resnames"), mapping.get("resids")
    if not residues or not numbers or len(residues) != n_beads:
        return [str(k + 1) for k in range(n_beads)]
    atoms = mapping.get("names") or ["CA"] * n_beads
    names = []
    for atom, residue, number in zip(atoms, residues, numbers, strict=True):
        name = f"{str(residue).capitalize()}{number}"
        names.append(name if set(atoms) == {"CA"} else f"{name} {atom}")
    return names
