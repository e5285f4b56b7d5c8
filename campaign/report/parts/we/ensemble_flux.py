"""Flux into the targets of a steady-state run: its course, rate and passage time."""

import logging
import math
from typing import Any

import numpy as np

from apps.science.arrays import Array
from apps.science.correlated_mean import FEW_CORRELATION_TIMES
from apps.science.errors import WeftError
from apps.science.we.convergence import FEWEST, follow_flux, still_drifts
from apps.science.we.kinetics import Kinetics, estimate_kinetics, read_flux
from campaign.report.kit import style
from campaign.report.kit.blocks import Note, Picture
from campaign.report.kit.canvas import Canvas, above_axes, count_iterations
from campaign.report.parts.learnt_source import LearntSource
from campaign.report.parts.we.history import History
from campaign.telling import words

log = logging.getLogger(__name__)

WIDE_RANGE = 100.0
"""Fluxes that differ by more than this factor are drawn on a log axis."""


def target_labels(config: dict[str, Any]) -> list[str]:
    """Return the labels of the targets that were asked for."""
    sample = config.get("sample")
    targets = sample.get("targets") if isinstance(sample, dict) else None
    return [str(t.get("label", "target")) for t in targets or []]


def read_fluxes(source: LearntSource, history: History) -> dict[str, Array]:
    """Return the probability recycled per iteration, (n_iterations,), by target.

    From the journal; where an older one lacks it, from west.h5. Empty for a run
    without targets, and where neither has it.
    """
    labels = list(dict.fromkeys([*history.flux, *target_labels(source.config)]))
    fluxes = {}
    for label in labels:
        flux = history.flux.get(label, np.full(len(history), math.nan))
        if not np.isfinite(flux).all():
            flux = _from_west(source, label, history["n_iter"])
        if np.isfinite(flux).all():
            fluxes[label] = flux
    return fluxes


def _from_west(source: LearntSource, label: str, n_iter: Array) -> Array:
    """Return the flux of the iterations ``n_iter``, NaN where west.h5 lacks them."""
    flux = np.full(len(n_iter), math.nan)
    try:
        found = read_flux(source.paths.we / "west.h5", label)
    except (WeftError, OSError, KeyError) as error:
        log.warning("report: no flux from west.h5: %s", error)
        return flux
    rows = n_iter.astype(int) - 1
    known = rows < len(found)
    flux[known] = found[rows[known]]
    return flux


def flux_facts(
    fluxes: dict[str, Array], burn_in: int, tau_ps: float | None
) -> list[tuple[str, str]]:
    """Return flux, rate and passage time with their 95 % intervals."""
    rows: list[tuple[str, str]] = []
    for label, flux in fluxes.items():
        found = _estimate(flux, burn_in, tau_ps or 1.0)
        if found is None:
            continue
        arrivals = int((flux[burn_in:] > 0).sum())
        value = _flux_text(found) if tau_ps is None else _rate_text(found)
        rows.append(
            (
                f"{'Flux' if tau_ps is None else 'Rate'} into {label!r}",
                f"{value} (95 %); arrivals in {arrivals:,} of the "
                f"{words.count(found.n_iterations, 'iteration')} after the burn-in",
            )
        )
    total = _estimate(np.sum(list(fluxes.values()), axis=0), burn_in, tau_ps or 1.0)
    if total is not None and total.flux > 0:
        name = "Mean first passage time" + (" to any target" if len(fluxes) > 1 else "")
        rows.append((name, f"{_passage_text(total, tau_ps)} (95 %)"))
    return rows


def flux_notes(fluxes: dict[str, Array], burn_in: int) -> list[Note]:
    """Return what keeps a flux from being a rate."""
    notes = []
    for label, flux in fluxes.items():
        if not flux.any():
            text = (
                f"No walker reached {label!r} in "
                f"{words.count(len(flux), 'iteration')}: there is no rate yet."
            )
            notes.append(Note(text, "caution"))
        elif len(flux) - burn_in < FEWEST:
            text = (
                f"The flux into {label!r} is known from "
                f"{words.count(len(flux) - burn_in, 'iteration')} after the burn-in; "
                f"its mean is drawn from {FEWEST} on."
            )
            notes.append(Note(text, "missing"))
        elif still_drifts(flux, burn_in):
            text = (
                f"The flux into {label!r} still drifts: the 95 % intervals of the two "
                "halves after the burn-in do not meet. The run is not in its steady "
                "state, and its mean flux is not the rate yet. Run it longer."
            )
            notes.append(Note(text, "caution"))
        elif (found := estimate_kinetics(flux, 1.0, burn_in)).is_short:
            spanned = found.n_iterations / found.correlation_time
            text = (
                f"The flux into {label!r} remembers "
                f"{words.number(found.correlation_time)} iterations, and "
                f"{words.count(found.n_iterations, 'iteration')} span only "
                f"{words.number(spanned)} such times. Below "
                f"{FEW_CORRELATION_TIMES:.0f} the interval may be too narrow. Run it "
                "longer before you rely on the rate."
            )
            notes.append(Note(text, "caution"))
    return notes


def draw_flux(
    label: str,
    flux: Array,
    history: History,
    tau_ps: float | None,
    canvas: Canvas,
    index: int = 0,
) -> Picture:
    """Draw the flux into one target, its running mean and 95 % interval."""
    n_iter, burn_in = history["n_iter"], history.burn_in
    running = follow_flux(flux, burn_in)
    unit, scale = _axis_unit(float(flux[burn_in:].mean()), tau_ps)
    positive = flux[flux > 0] * scale
    wide = positive.max() > WIDE_RANGE * positive.min()
    with canvas.axes() as (figure, axes):
        if burn_in:
            axes.axvspan(n_iter[0] - 0.5, n_iter[burn_in] - 0.5, color="#eef0f3", lw=0,
                         label="burn-in")  # fmt: skip
        shown = flux > 0 if wide else np.ones(len(flux), dtype=bool)
        axes.plot(n_iter[shown], flux[shown] * scale, ".", color=style.QUIET, ms=4,
                  alpha=0.7, label="each iteration")  # fmt: skip
        if len(running.n_iter):
            at = n_iter[running.n_iter - 1]
            low = running.low * scale
            if wide:
                axes.set_yscale("log")
                axes.set_ylim(positive.min() / 2, positive.max() * 2)
                low = np.maximum(low, positive.min() / 2)
            axes.fill_between(at, low, running.high * scale, color=style.FIRST,
                              alpha=0.22, lw=0, label="95 %")  # fmt: skip
            axes.plot(at, running.mean * scale, color=style.FIRST, label="running mean")
        elif wide:
            axes.set_yscale("log")
        if not wide:
            axes.set_ylim(bottom=0)
        axes.set_xlim(n_iter[0] - 0.5, n_iter[-1] + 0.5)
        count_iterations(axes)
        axes.set_ylabel(f"flux into {label}, {unit}")
        above_axes(axes)
        return canvas.keep(
            figure,
            "we_flux" if index == 0 else f"we_flux_{index + 1}",
            caption="Has the flux settled? Its mean over iterations after the burn-in "
            "is the rate once it no longer drifts." + _unseen(flux, wide),
            alt=f"Flux into {label} by iteration with its running mean and interval",
            numbers={
                "target": label, "tau_ps": tau_ps, "n_iter": n_iter,
                "flux_per_iteration": flux, "burn_in": burn_in,
                "running": {
                    "n_iter": running.n_iter, "mean": running.mean,
                    "low": running.low, "high": running.high,
                },
            },
        )  # fmt: skip


def _axis_unit(mean: float, tau_ps: float | None) -> tuple[str, float]:
    """Return the unit of the flux axis and what a flux per iteration is in it."""
    if tau_ps is None:
        return "per iteration", 1.0
    unit, size = words.rate_unit(mean / tau_ps)
    return unit, size / tau_ps


def _unseen(flux: Array, wide: bool) -> str:
    n_none = int((flux == 0).sum())
    if not n_none:
        return ""
    text = f" In {words.count(n_none, 'iteration')} nothing arrived"
    return text + (" (no dot on the log axis)." if wide else ".")


def _estimate(flux: Array, burn_in: int, tau_ps: float) -> Kinetics | None:
    if len(flux) - burn_in < 2 or not flux.any():
        return None
    return estimate_kinetics(flux, tau_ps, burn_in)


def _flux_text(found: Kinetics) -> str:
    low, high = (words.number(x) for x in found.rate_interval)
    interval = words.interval(low, high)
    return f"{words.number(found.flux)} per iteration {interval}"


def _rate_text(found: Kinetics) -> str:
    unit, size = words.rate_unit(found.rate_per_ps)
    low, high = (words.number(x * size) for x in found.rate_interval)
    return (
        f"{words.number(found.rate_per_ps * size)} {unit} {words.interval(low, high)}"
    )


def _passage_text(found: Kinetics, tau_ps: float | None) -> str:
    def say(time: float) -> str:
        if not math.isfinite(time):
            return "no bound"
        if tau_ps is None:
            return f"{words.number(time)} iterations"
        return words.simulated(time)

    low, high = (say(x) for x in found.mfpt_interval)
    return f"{say(found.mfpt_ps)} {words.interval(low, high)}"
