"""Do the models stay intact: survival over time, and structures drawn over time."""

import numpy as np

from apps.science.arrays import Array, IntArray
from campaign.report import structures, style, words
from campaign.report.blocks import Block, Gallery, Note, Picture, Section
from campaign.report.canvas import Canvas
from campaign.report.scores import Course, read_stability
from campaign.report.sources import RunSource

GAP = 1.08
"""Width of a column over the widest structure."""


def stability(source: RunSource, canvas: Canvas) -> Section:
    """Show survival and structures over time."""
    section = Section(
        "stability",
        "Stability and structures",
        "Do the models stay intact as time goes on, and do they look like the protein?",
    )
    section.blocks.extend(_courses(source, canvas))
    sets = {"reference": source.reference_frames()}
    sets |= {m: source.model_frames(m) for m in source.models}
    found = {name: f for name, f in sets.items() if f is not None and len(f)}
    if "reference" not in found:
        section.blocks.append(
            Note("Structures are drawn once the reference is made.", "missing")
        )
        return section
    reference = found["reference"]
    bonds = np.array(
        source.mapping.get("bonds")
        or [[k, k + 1] for k in range(reference.positions.shape[1] - 1)]
    )
    vectors = reference.positions[:, bonds[:, 0]] - reference.positions[:, bonds[:, 1]]
    lengths = np.median(np.linalg.norm(vectors, axis=2), axis=0)
    first = np.asarray(
        reference.positions[structures.pick_frames(reference)[0]], dtype=float
    )
    traces = {
        name: structures.make_traces(frames, first) for name, frames in found.items()
    }
    section.blocks.append(
        Gallery([draw_structures(traces, first, bonds, lengths, canvas)], columns=1)
    )
    section.blocks.extend(
        Note(f"The {m} model has not been benchmarked yet.", "missing")
        for m in source.models
        if m not in found
    )
    return section


def draw_structures(
    traces: dict[str, list[structures.Trace]],
    first: Array,
    bonds: IntArray,
    lengths: Array,
    canvas: Canvas,
) -> Picture:
    """Draw one row of structures for the reference and one for each model."""
    view = structures.lay_flat(first)
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
    tall = 2 * min(half, max(flat)) + 0.42 * cell
    height = style.WIDE_INCH * len(traces) * tall / (cell * columns)
    with canvas.axes((style.WIDE_INCH, height)) as (figure, axes):
        for row, (name, drawn) in enumerate(traces.items()):
            colour = style.model_colour(name, row)
            y = -row * tall
            axes.text(-0.5 * cell, y + 0.42 * tall, name.capitalize(), weight="bold",
                      color=colour, va="center", fontsize=11)  # fmt: skip
            for column, trace in enumerate(drawn):
                x = column * cell
                label = words.simulated(trace.time_ps)
                if np.isfinite(trace.beads).all():
                    beads = trace.beads @ view.T
                    structures.draw_trace(axes, (x, y), beads, bonds, lengths, colour)
                    label += f"  ·  {trace.rmsd:.1f} Å"
                else:
                    label += "  ·  not finite"
                axes.text(x, y - 0.4 * tall, label, ha="center", va="center",
                          color=style.QUIET)  # fmt: skip
        axes.set_xlim(-0.5 * cell, (columns - 0.5) * cell)
        axes.set_ylim(-(len(traces) - 0.5) * tall, 0.5 * tall)
        right = (columns - 0.52) * cell
        axes.plot([right - 10, right], [0.43 * tall] * 2, color=style.INK, lw=1.8)
        axes.text(right - 10.6, 0.43 * tall, "10 Å", ha="right", va="center")
        axes.set_aspect("equal")
        axes.axis("off")
        return canvas.keep(
            figure,
            "structures",
            caption="What do the structures look like over time? Bead traces from N "
            "(pale) to C (full colour), superposed on the first reference frame and "
            "drawn at one scale; below, the time and the RMSD to that first frame. "
            "Reference: one plain MD walk. Models: the lineage with most weight at the "
            "end, its heaviest frame at each time. A bond stretched by more than 35 % "
            "is a red dotted line.",
            alt="Rows of bead traces at increasing times",
            numbers=structures.row_labels(traces),
            wide=True,
        )


def _courses(source: RunSource, canvas: Canvas) -> list[Block]:
    courses = {m: c for m in source.models if (c := read_stability(source, m))}
    if not courses:
        text = "Stability over time is not measured yet (benchmark stage)."
        return [Note(text, "missing")]
    quantities = dict.fromkeys(q for found in courses.values() for q in found)
    return [
        Gallery(
            [
                draw_course(q, {m: c[q] for m, c in courses.items() if q in c}, canvas)
                for q in quantities
            ]
        )
    ]


def draw_course(name: str, courses: dict[str, Course], canvas: Canvas) -> Picture:
    """Draw one quantity of every model against time."""
    numbers: dict[str, Array] = {}
    first = next(iter(courses.values()))
    with canvas.axes() as (figure, axes):
        for index, (model, course) in enumerate(courses.items()):
            colour = style.model_colour(model, index)
            axes.plot(course.time_ps, course.value, color=colour,
                      ls=style.model_dashes(model), label=model)  # fmt: skip
            numbers |= {f"{model}_time_ps": course.time_ps, model: course.value}
        if first.is_share:
            axes.set_ylim(-0.03, 1.05)
        axes.set_xlabel("time, ps")
        axes.set_ylabel(first.label)
        axes.legend(loc="best")
        return canvas.keep(
            figure, f"stability_{name}", caption=first.question,
            alt=f"{first.label} against time", numbers=numbers,
        )  # fmt: skip
