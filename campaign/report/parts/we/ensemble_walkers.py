"""How many walkers a WE run has, and how its weight is spread over them."""

import numpy as np

from campaign.report.kit import style
from campaign.report.kit.blocks import Picture
from campaign.report.kit.canvas import Canvas, above_axes, count_iterations
from campaign.report.parts.we.history import History

WIDE_RANGE = 40.0
"""Counts that differ by more than this factor are drawn on a log axis."""


def draw_walkers(history: History, canvas: Canvas) -> Picture:
    """Draw walkers, occupied bins and effective walkers per iteration."""
    n_iter = history["n_iter"]
    with canvas.axes() as (figure, axes):
        axes.plot(n_iter, history["walkers"], color=style.FIRST, label="walkers")
        if history.knows("bins"):
            axes.plot(
                n_iter, history["bins"], color="#0072b2", ls="--", label="occupied bins"
            )
        axes.plot(n_iter, history["ess"], color=style.SECOND, ls="-.",
                  label="effective walkers (ESS)")  # fmt: skip
        if history["walkers"].max() > WIDE_RANGE * history["ess"].min():
            axes.set_yscale("log")
            axes.set_ylim(bottom=0.8)
        else:
            axes.set_ylim(bottom=0)
        count_iterations(axes)
        axes.set_ylabel("number")
        above_axes(axes)
        return canvas.keep(
            figure,
            "we_walkers",
            caption="Did the ensemble spread over bins, and how many walkers carry the "
            "weight? ESS = (Σw)²/Σw²: one heavy walker makes it 1.",
            alt="Walkers, occupied bins and effective sample size by iteration",
            numbers={k: history[k] for k in ("n_iter", "walkers", "bins", "ess")},
        )


def draw_weights(history: History, canvas: Canvas) -> Picture:
    """Draw the distribution of weights per iteration."""
    n_iter = history["n_iter"]
    names = ("weight_min", "weight_p05", "weight_p50", "weight_p95", "weight_max")
    least, low, middle, high, most = (np.maximum(history[k], 1e-300) for k in names)
    with canvas.axes() as (figure, axes):
        axes.fill_between(
            n_iter, least, most, color=style.FIRST, alpha=0.14, lw=0, label="all"
        )
        axes.fill_between(
            n_iter, low, high, color=style.FIRST, alpha=0.3, lw=0, label="middle 90 %"
        )
        axes.plot(n_iter, middle, color=style.FIRST, label="median")
        axes.plot(n_iter, 1 / history["walkers"], color=style.INK, lw=1.2, ls=":",
                  label="1/walkers")  # fmt: skip
        axes.set_yscale("log")
        count_iterations(axes)
        axes.set_ylabel("weight of a walker")
        above_axes(axes)
        return canvas.keep(
            figure,
            "we_weights",
            caption="How far do the weights spread? Dotted: all walkers alike. A wide "
            "range is how a weighted ensemble reaches rare states; training must then "
            "handle it.",
            alt="Range, middle 90 % and median of the walkers' weights by iteration",
            numbers={k: history[k] for k in ("n_iter", *names)},
        )
