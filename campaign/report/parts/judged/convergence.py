"""What is far from converged: times against the slowest process, and training's end."""

import numpy as np

from apps.science.errors import WeftError
from apps.science.files import read_json
from apps.science.learning.names import ENDING
from apps.science.pcoords.tica import read_tica
from apps.science.segments.frames import WeightedFrames
from campaign.report.parts.learnt_source import LearntSource, name_own_loss
from campaign.telling import words

ENOUGH_TIMESCALES = 10.0
"""Slowest timescales that a reference walk should last, for populations to settle."""

STILL_FALLING = 0.9
"""A best epoch later than this share of all epochs: training may not be at its end."""


def find_doubts(source: LearntSource) -> list[str]:
    """Return what has not converged as far as times and losses tell, with figures."""
    return [*doubt_times(source), *doubt_training(source)]


def doubt_times(source: LearntSource) -> list[str]:
    """Compare how long reference and models ran with the slowest process."""
    slowest = slowest_timescale(source)
    frames = source.reference_frames()
    if slowest is None or frames is None or not len(frames):
        return []
    found = []
    process = f"the slowest process, {words.simulated(slowest)} by TICA"
    walk = longest_walk(frames)
    if walk < ENOUGH_TIMESCALES * slowest:
        found.append(
            f"The reference is short: its longest walk is {words.simulated(walk)}, "
            f"{words.number(walk / slowest, 2)} times {process} (itself a low guess "
            "where walks are short). Populations of its basins are not converged."
        )
    short = {}
    for model in source.models:
        one = source.model_frames(model)
        if one is not None and len(one) and one.time_ps.max() < slowest:
            short[model] = float(one.time_ps.max())
    if short:
        least = min(short.values())
        plural = len(short) > 1
        found.append(
            f"The {words.joined(list(short))} model{'s' if plural else ''} ran for "
            f"{words.simulated(least)}, less than {process}: "
            f"{'their' if plural else 'its'} densities still remember where the "
            "walkers began."
        )
    return found


def doubt_training(source: LearntSource) -> list[str]:
    """Name the models whose validation loss was still falling at the end."""
    falling = name_falling(source)
    if not falling:
        return []
    models = "models" if len(falling) > 1 else "model"
    return [
        f"Training of the {words.joined(falling)} {models} was stopped while the "
        "validation loss was still falling: more epochs may help."
    ]


def name_falling(source: LearntSource) -> list[str]:
    """Return the models whose best epoch was among the last."""
    falling = []
    for model in source.models:
        ending = read_json(source.paths.model(model) / ENDING)
        if ending:
            falling += [model] if ending.get("trend") == "falling" else []
            continue
        columns = source.training(model)  # of before there was an ending.json
        values = columns.get(name_own_loss(source.paths, model), np.empty(0))
        if len(values) > 1 and np.isfinite(values).any():
            best = int(np.nanargmin(values)) + 1
            if best > STILL_FALLING * len(values):
                falling.append(model)
    return falling


def slowest_timescale(source: LearntSource) -> float | None:
    """Return the longest implied timescale of the reference, ps; None without one."""
    if not source.paths.tica.exists():
        return None
    try:
        times = read_tica(source.paths.tica).timescales_ps
    except WeftError:
        return None
    times = times[np.isfinite(times)]
    return float(times.max()) if len(times) else None


def longest_walk(frames: WeightedFrames) -> float:
    """Return how long the longest trajectory of a set lasts, ps."""
    names, index = np.unique(frames.trajectory, return_inverse=True)
    low, high = np.full(len(names), np.inf), np.full(len(names), -np.inf)
    np.minimum.at(low, index, frames.time_ps)
    np.maximum.at(high, index, frames.time_ps)
    return float((high - low).max())
