"""Data histogram against fit, term by term: what ``prior_fit.json`` holds.

Three curves a type, each a density that integrates to one over the window shown:
``data``, of the weighted frames; ``fit``, exp(-U/kT) of this term by itself, with the
solid-angle factor for angles; ``prior_alone``, of the gate's dynamics under the whole
prior. For repulsion they are densities of pair distance over r^2, largest value one.
"""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from apps.science.arrays import Array
from apps.science.cg.mapping.mapping import Mapping
from apps.science.cg.prior.counts import FitSettings, PriorCounts
from apps.science.cg.prior.histograms import TypeHistograms, interpolate_quantile
from apps.science.cg.prior.tables import PriorTables, Term, Types, look_up
from apps.science.units import thermal_energy

_LABELS: Final[dict[Term, str]] = {
    "bonds": "bond length, Å", "angles": "angle, rad", "dihedrals": "dihedral, rad",
    "repulsion": "pair distance, Å",
}  # fmt: skip
_N_BINS: Final = 60
_FARTHEST: Final = 15.0


@dataclass(frozen=True)
class Curve:
    """One term of one type; all arrays (n_points,)."""

    x: Array
    data: Array
    fit: Array
    prior_alone: Array | None


def describe_fit(
    counts: PriorCounts,
    tables: PriorTables,
    mapping: Mapping,
    settings: FitSettings,
    prior_frames: Array | None,
) -> dict[str, Any]:
    """Return the curves and parameters of every term, ready for JSON.

    ``terms.<term>``: ``label`` of the axis and ``types``, a list of ``name``, ``x``,
    ``data``, ``fit``, ``prior_alone`` (or null), ``n_effective``, ``parameters``.

    Parameters
    ----------
    counts : of this protein's frames
    tables : of all proteins that share the prior
    prior_frames : (n_frames, n_beads, 3), Angstrom, of the gate
    """
    alone: dict[Term, TypeHistograms] = {}
    if prior_frames is not None and len(prior_frames):
        other = PriorCounts(mapping, tables, settings)
        other.add(prior_frames, np.ones(len(prior_frames)))
        alone = other.histograms
    kt = thermal_energy(settings.temperature_kelvin)
    found: dict[str, Any] = {}
    for term, seen in counts.histograms.items():
        rows = []
        for k, types in enumerate(seen.types):
            other_row = alone[term].counts[k] if term in alone else None
            curve = _draw(term, types, seen, k, other_row, tables, kt)
            rows.append(
                {
                    "name": " - ".join(types),
                    "x": _round(curve.x, 7),
                    "data": _round(curve.data),
                    "fit": _round(curve.fit),
                    "prior_alone": None
                    if curve.prior_alone is None
                    else _round(curve.prior_alone),
                    "n_effective": round(float(seen.effective_samples[k]), 1),
                    "parameters": _name_parameters(term, types, tables),
                }
            )
        found[term] = {"label": _LABELS[term], "types": rows}
    return found


def _round(values: Array, digits: int = 5) -> list[float]:
    return [float(f"{v:.{digits}g}") for v in values]


def _draw(
    term: Term,
    types: Types,
    seen: TypeHistograms,
    row: int,
    other: Array | None,
    tables: PriorTables,
    kt: float,
) -> Curve:
    counts = seen.counts[row]
    low, high = _choose_window(term, seen, counts)
    edges = np.linspace(low, high, _N_BINS + 1)
    x = 0.5 * (edges[1:] + edges[:-1])
    fit = np.exp(-_energy(term, types, x, tables) / kt)
    if term == "angles":
        fit = fit * np.sin(x)
    data = _rebin(seen, counts, edges)
    alone = None if other is None else _rebin(seen, other, edges)
    if term == "repulsion":
        far = None if alone is None else _peak(alone / x**2)
        return Curve(x, _peak(data / x**2), fit, far)
    width = float(edges[1] - edges[0])
    return Curve(
        x, _normal(data, width), _normal(fit, width),
        None if alone is None else _normal(alone, width),
    )  # fmt: skip


def _choose_window(
    term: Term, seen: TypeHistograms, counts: Array
) -> tuple[float, float]:
    if term in ("angles", "dihedrals"):
        return seen.low, seen.high
    if term == "repulsion":
        return 0.0, _FARTHEST
    low, high = (
        interpolate_quantile(counts, seen.low, seen.width, q) for q in (0.002, 0.998)
    )
    margin = 0.25 * max(high - low, 0.05)
    return low - margin, high + margin


def _energy(term: Term, types: Types, x: Array, tables: PriorTables) -> Array:
    """Return the term's energy at ``x``, kcal/mol."""
    if term == "dihedrals":
        series = look_up(tables.dihedrals, types, term)
        energy: Array = sum(
            (k * (1.0 + np.cos(n * x - phase)) for k, phase, n in series),
            np.zeros_like(x),
        )
        return energy
    if term == "repulsion":
        sigma, epsilon = look_up(tables.repulsion, types, term)
        return 4.0 * epsilon * (sigma / np.maximum(x, 1e-3)) ** 6
    k, center = look_up(tables.bonds if term == "bonds" else tables.angles, types, term)
    return k * (x - center) ** 2


def _name_parameters(term: Term, types: Types, tables: PriorTables) -> dict[str, float]:
    """Return the parameters under the names of the YAML file, angles in rad."""
    if term == "dihedrals":
        named: dict[str, float] = {}
        for k, phase, n in look_up(tables.dihedrals, types, term):
            named |= {f"phi_k_{n}": k, f"phase_{n}": phase}
        return named
    if term == "repulsion":
        sigma, epsilon = look_up(tables.repulsion, types, term)
        return {"sigma": sigma, "epsilon": epsilon}
    if term == "bonds":
        k, center = look_up(tables.bonds, types, term)
        return {"k0": k, "req": center}
    k, center = look_up(tables.angles, types, term)
    return {"k0": k, "theta0": center}


def _rebin(seen: TypeHistograms, counts: Array, edges: Array) -> Array:
    """Return the mass in each coarse bin, a fine bin shared out by overlap."""
    fine = np.linspace(seen.low, seen.high, seen.n_bins + 1)
    cumulative = np.concatenate([[0.0], np.cumsum(counts)])
    mass: Array = np.diff(np.interp(edges, fine, cumulative))
    return mass


def _normal(density: Array, width: float) -> Array:
    normal: Array = density / max(float(density.sum()) * width, 1e-300)
    return normal


def _peak(density: Array) -> Array:
    peak: Array = density / max(float(density.max()), 1e-300)
    return peak
