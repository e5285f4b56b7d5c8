"""The density of one quantity: the reference filled, the models as lines with bands."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes

from apps.science.arrays import Array
from apps.science.statistics import shared_edges, weighted_histogram
from campaign.report.kit import style
from campaign.report.kit.blocks import Picture
from campaign.report.kit.canvas import Canvas, above_axes
from campaign.report.parts.judged.clouds import Cloud
from campaign.report.parts.judged.scores import Density
from campaign.report.parts.model_look import model_dashes
from campaign.telling import words

SMOOTHING_BINS = 1.5
SCORED_TICS = 2
"""Components whose densities the benchmark itself makes and scores."""

TOLD_OUTSIDE = 0.005


def draw_density(name: str, found: dict[str, Density], canvas: Canvas) -> Picture:
    """Draw the density of one quantity for the reference and every model."""
    first = next(iter(found.values()))
    edges = first.edges
    numbers: dict[str, Any] = {"edges": edges, "unit": first.unit}
    outside = []
    with canvas.axes(style.SMALL) as (figure, axes):
        centres = (edges[1:] + edges[:-1]) / 2
        drawn = smooth(first.reference, first)
        axes.fill_between(centres, drawn, color=style.BASELINE, alpha=0.16, lw=0)
        axes.plot(centres, drawn, color=style.BASELINE, lw=1.2, label="reference")
        _draw_band(axes, first, first.reference_band, style.BASELINE)
        numbers["reference"] = first.reference_density
        for model, density in found.items():
            colour = canvas.colour(model)
            middles = (density.edges[1:] + density.edges[:-1]) / 2
            _draw_band(axes, density, density.model_band, colour)
            axes.plot(
                middles, smooth(density.model, density), lw=1.8, label=model,
                color=colour, ls=model_dashes(model),
            )  # fmt: skip
            numbers |= {model: density.model_density,
                        f"{model}_outside": density.model_outside}  # fmt: skip
            if density.model_band is not None:
                band = density.model_band[:, 1:-1] / np.diff(density.edges)
                numbers[f"{model}_95_percent"] = band
            if density.model_outside >= TOLD_OUTSIDE:
                share = words.percent(density.model_outside)
                outside.append(f"{share} of the {model} model")
        axes.set_ylim(bottom=0)
        axes.set_xlim(edges[0], edges[-1])
        axes.set_xlabel(first.label + (f", {first.unit}" if first.unit else ""))
        axes.set_ylabel("density" + (f", 1/{first.unit}" if first.unit else ""))
        above_axes(axes, small=True)
        beyond = f" Beyond the drawn range: {words.joined(outside)}." if outside else ""
        return canvas.keep(
            figure,
            f"density_{name}",
            caption=f"{first.label[:1].upper()}{first.label[1:]}.{beyond}",
            alt=f"Density of {first.label}: reference and models",
            numbers=numbers,
        )


def smooth(masses: Array, density: Density) -> Array:
    """Return the density (n_bins,) of masses (n_bins + 2,), smoothed for the eye.

    On a circle the kernel goes round; on a line it is folded back at the ends, so the
    mass inside the bins stays.
    """
    from scipy.ndimage import gaussian_filter1d

    inside = np.asarray(masses[1:-1] / np.diff(density.edges))
    mode = "wrap" if density.period else "reflect"
    return np.asarray(gaussian_filter1d(inside, SMOOTHING_BINS, mode=mode))


def _draw_band(axes: Axes, density: Density, band: Array | None, colour: str) -> None:
    if band is None:
        return
    centres = (density.edges[1:] + density.edges[:-1]) / 2
    low, high = (smooth(end, density) for end in band)
    axes.fill_between(centres, low, high, color=colour, alpha=0.18, lw=0)


def further_densities(clouds: dict[str, Cloud]) -> dict[str, dict[str, Density]]:
    """Return densities of the slow coordinates beyond those that are scored.

    By model, then by name; empty where TICA kept no more components than two.
    """
    reference = clouds.get("reference")
    if reference is None:
        return {}
    found: dict[str, dict[str, Density]] = {n: {} for n in clouds if n != "reference"}
    for k in range(SCORED_TICS, reference.n_dim):
        edges = shared_edges(reference.points[:, k], reference.weights)
        expected = weighted_histogram(reference.points[:, k], reference.weights, edges)
        for model, densities in found.items():
            cloud = clouds[model]
            masses = weighted_histogram(cloud.points[:, k], cloud.weights, edges)
            densities[f"tic{k}"] = Density(f"TIC {k}", "", edges, expected, masses)
    return found
