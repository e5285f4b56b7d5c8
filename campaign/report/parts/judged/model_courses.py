"""Figures of the models against time: native contacts, folded share, strained bonds."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from apps.science.arrays import Array
from campaign.report.kit.blocks import Picture
from campaign.report.kit.canvas import Canvas, above_axes
from campaign.report.parts.judged.scores import read_arrays
from campaign.report.parts.learnt_source import LearntSource
from campaign.report.parts.model_look import model_dashes


@dataclass(frozen=True)
class Course:
    """Where densities.npz has a course, a share of one, and what it answers.

    One that is nought throughout is left out where ``nought_is_usual``.
    """

    key: str
    time: str
    values: str
    ylabel: str
    caption: str
    nought_is_usual: bool = False


COURSES = (
    Course(
        "native_contacts", "native_contacts/time_ps", "native_contacts/course",
        "native contacts, %",
        "Do native contacts last? Mean share of the native structure's contacts that "
        "each model has, by weight, against time.",
    ),
    Course(
        "folded", "folded/time_ps", "folded/course", "folded, % of the weight",
        "Does the fold last? Share of each model's weight that is folded (near the "
        "native structure) against time.",
    ),
    Course(
        "bond_violations", "stability/violations_time_ps", "stability/bond_violations",
        "strained bonds, %",
        "Do bonds hold? Share of bonds more than five standard deviations from the "
        "reference's mean length, against time.",
        nought_is_usual=True,
    ),
)  # fmt: skip


def draw_courses(source: LearntSource, canvas: Canvas) -> Iterator[Picture]:
    """Draw every course that some model has."""
    arrays = {model: read_arrays(source, model) for model in source.models}
    for course in COURSES:
        found = {
            model: (of[course.time], of[course.values])
            for model, of in arrays.items()
            if course.time in of and np.isfinite(of[course.values]).any()
        }
        nought = all(not np.nan_to_num(share).any() for _, share in found.values())
        if found and not (nought and course.nought_is_usual):
            yield _draw(course, found, canvas)


def _draw(
    course: Course, found: dict[str, tuple[Array, Array]], canvas: Canvas
) -> Picture:
    numbers: dict[str, Any] = {}
    with canvas.axes() as (figure, axes):
        for model, (time_ps, share) in found.items():
            axes.plot(
                time_ps, 100 * share, label=model,
                color=canvas.colour(model), ls=model_dashes(model),
            )  # fmt: skip
            numbers |= {f"{model}_time_ps": time_ps, model: share}
        top = max(float(np.nanmax(share)) for _, share in found.values())
        axes.set_ylim(-0.03 * max(top, 0.01) * 100, 104 * max(top, 0.01))
        axes.set_xlabel("time, ps")
        axes.set_ylabel(course.ylabel)
        above_axes(axes)
        return canvas.keep(
            figure, f"course_{course.key}", caption=course.caption,
            alt=f"{course.ylabel} of each model against time", numbers=numbers,
        )  # fmt: skip
