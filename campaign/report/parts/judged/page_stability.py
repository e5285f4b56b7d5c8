"""Do the models stay intact: survival over time, and structures drawn over time."""

from typing import Any

import numpy as np

from apps.science.arrays import Array
from apps.science.segments.frames import WeightedFrames
from campaign.report.kit import style
from campaign.report.kit.blocks import Gallery, Note, Picture, Section
from campaign.report.kit.canvas import Canvas, above_axes
from campaign.report.parts.judged import structures
from campaign.report.parts.judged.courses import Yardstick, mean_size, measure_reference
from campaign.report.parts.judged.model_courses import draw_courses
from campaign.report.parts.judged.scores import read_arrays, read_details
from campaign.report.parts.judged.structure_sets import gather_structures
from campaign.report.parts.judged.turning_view import count_frames, make_turning
from campaign.report.parts.learnt_source import LearntSource
from campaign.report.parts.model_look import model_dashes
from campaign.telling import words

SCALE_BARS = (10, 5, 2, 1)
"""Lengths of the scale bar, Angstrom; the longest that fits is drawn."""

GAP = 1.08
"""Width of a column over the widest structure."""


def stability(source: LearntSource, canvas: Canvas) -> Section:
    """Show survival and structures over time."""
    section = Section(
        "stability",
        "Stability and structures",
        "Do the models stay intact as time goes on, and do they look like the protein?",
    )
    reference = source.reference_frames()
    if reference is None or not len(reference):
        text = "Structures are drawn once the reference is made."
        section.blocks.append(Note(text, "missing"))
        return section
    found = model_sets(source)
    yardstick = yardstick_of(source, reference)
    pictures = []
    if intact := intact_courses(source):
        causes = {m: read_details(source, m, "stability") for m in intact}
        pictures.append(draw_intact(intact, causes, canvas))
    if sizes := {m: mean_size(f) for m, f in found.items()}:
        pictures.append(draw_size(sizes, yardstick, canvas))
    pictures.extend(draw_courses(source, canvas))
    if pictures:
        section.blocks.append(Gallery(pictures))
    else:
        text = "Stability over time is not measured yet (benchmark stage)."
        section.blocks.append(Note(text, "missing"))
    n_times = count_frames(reference.positions.shape[1], 1 + len(found))
    sets = gather_structures(source, reference, found, n_times)
    view = structures.lay_flat(sets.ghost[1])
    section.blocks.append(
        make_turning(
            sets.traces, view, yardstick, sets.residues, sets.ghost, canvas.colour
        )
    )
    picture = draw_structures(
        sets.thin(structures.N_TIMES), view, sets.ghost[0], yardstick, canvas
    )
    section.blocks.append(Gallery([picture], columns=1))
    return section


def intact_courses(source: LearntSource) -> dict[str, tuple[Array, Array]]:
    """Return times, ps, and the intact share of the weight, per model."""
    courses = {}
    for model in source.models:
        arrays = read_arrays(source, model)
        if "stability/intact" in arrays:
            courses[model] = arrays["stability/time_ps"], arrays["stability/intact"]
    return courses


def model_sets(source: LearntSource) -> dict[str, WeightedFrames]:
    """Return the frames of every benchmarked model."""
    sets = {m: source.model_frames(m) for m in source.models}
    return {m: f for m, f in sets.items() if f is not None and len(f)}


def yardstick_of(source: LearntSource, reference: WeightedFrames) -> Yardstick:
    """Return what is usual in the reference, bonds as the mapping has them."""
    n_beads = reference.positions.shape[1]
    bonds = source.mapping.get("bonds") or [[k, k + 1] for k in range(n_beads - 1)]
    return measure_reference(reference, np.array(bonds))


def draw_intact(
    courses: dict[str, tuple[Array, Array]],
    causes: dict[str, dict[str, Any]],
    canvas: Canvas,
) -> Picture:
    """Draw the share of intact structures against time."""
    numbers: dict[str, Any] = {"causes": causes}
    told = []
    with canvas.axes() as (figure, axes):
        for model, (time_ps, intact) in courses.items():
            axes.plot(
                time_ps, 100 * intact, label=model,
                color=canvas.colour(model), ls=model_dashes(model),
            )  # fmt: skip
            numbers |= {f"{model}_time_ps": time_ps, model: intact}
            shares = causes[model].get("causes") or {}
            parts = [f"{words.percent(v)} {k}" for k, v in shares.items() if v]
            told.append(f"{model} model: {', '.join(parts) or 'none'}")
        axes.set_ylim(-3, 104)
        axes.set_xlabel("time, ps")
        axes.set_ylabel("intact, % of the weight")
        above_axes(axes)
        return canvas.keep(
            figure,
            "stability_intact",
            caption="Do structures survive? Not intact: not finite, a bond broken or "
            f"squeezed, or collapsed. Over all times, {'; '.join(told)}.",
            alt="Share of intact structures against time",
            numbers=numbers,
        )


def draw_size(
    sizes: dict[str, tuple[Array, Array]], yardstick: Yardstick, canvas: Canvas
) -> Picture:
    """Draw the mean radius of gyration against time over the reference's range."""
    low, middle, high = yardstick.rg
    numbers: dict[str, Any] = {"reference_2.5_50_97.5_percent": yardstick.rg}
    with canvas.axes() as (figure, axes):
        axes.axhspan(
            low, high, color=style.BASELINE, alpha=0.1, lw=0, label="reference, 95 %"
        )
        axes.axhline(middle, color=style.BASELINE, lw=1.2)
        for model, (time_ps, size) in sizes.items():
            axes.plot(
                time_ps, size, label=model,
                color=canvas.colour(model), ls=model_dashes(model),
            )  # fmt: skip
            numbers |= {f"{model}_time_ps": time_ps, model: size}
        axes.set_xlabel("time, ps")
        axes.set_ylabel("mean radius of gyration, Å")
        above_axes(axes)
        return canvas.keep(
            figure,
            "stability_size",
            caption="Do structures collapse or fly apart? Weighted mean of each model "
            "against time; line and band: the reference's median and range.",
            alt="Mean radius of gyration against time",
            numbers=numbers,
        )


def draw_structures(
    traces: dict[str, list[structures.Trace]],
    view: Array,
    ghost: str,
    yardstick: Yardstick,
    canvas: Canvas,
) -> Picture:
    """Draw one row of structures for the reference and one for each model."""
    half = structures.half_extent(traces, view)
    columns = max(len(rows) for rows in traces.values())
    cell = 2 * half * GAP
    flat = [
        np.abs((t.beads @ view.T)[:, 1]).max()
        for rows in traces.values()
        for t in rows
        if np.isfinite(t.beads).all()
    ]
    # the broadest axis lies across; rows need only the height that chains take
    tall = 2 * min(half, max(flat)) + 0.5 * cell
    height = style.WIDE_INCH * len(traces) * tall / (cell * columns)
    with canvas.axes((style.WIDE_INCH, height)) as (figure, axes):
        for row, (name, drawn) in enumerate(traces.items()):
            colour = canvas.colour(name)
            y = -row * tall
            axes.text(-0.5 * cell, y + 0.42 * tall, name.capitalize(), weight="bold",
                      color=colour, va="center", fontsize=11)  # fmt: skip
            for column, trace in enumerate(drawn):
                x = column * cell
                if np.isfinite(trace.beads).all():
                    structures.draw_trace(
                        axes, (x, y), trace.beads @ view.T, yardstick.bonds,
                        yardstick.lengths, colour,
                    )  # fmt: skip
                axes.text(x, y - 0.4 * tall, structures.frame_label(trace), ha="center",
                          va="center", color=style.QUIET)  # fmt: skip
        axes.set_xlim(-0.5 * cell, (columns - 0.5) * cell)
        axes.set_ylim(-(len(traces) - 0.5) * tall, 0.5 * tall)
        right = (columns - 0.52) * cell
        bar = next((b for b in SCALE_BARS if b < 0.5 * cell), SCALE_BARS[-1])
        axes.plot([right - bar, right], [0.43 * tall] * 2, color=style.INK, lw=1.8)
        axes.text(
            right - bar - 0.02 * cell, 0.43 * tall, f"{bar} Å", ha="right", va="center"
        )
        axes.set_aspect("equal")
        axes.axis("off")
        return canvas.keep(
            figure,
            "structures",
            caption="What do the structures look like over time? Bead traces from N "
            f"(pale) to C (full colour), superposed on {ghost} and "
            "drawn at one scale; below, the time and the RMSD to it. "
            "Reference: one plain MD walk. Models: the walker that is heaviest at the "
            "end, followed back through its ancestors. A bond stretched by more than "
            "35 % is a red dotted line.",
            alt="Rows of bead traces at increasing times",
            numbers=structures.row_labels(traces),
            wide=True,
        )
