"""Fraction folded and free energy of folding, by the RMSD to the native structure."""

from typing import Any

import numpy as np

from apps.science.arrays import Array
from apps.science.metrics.conformations._geometry import measure_gyration, measure_rmsd
from apps.science.metrics.conformations.base import (
    Beads,
    Comparison,
    Result,
    WeightedSet,
)
from apps.science.metrics.conformations.distribution import N_FRAMES_PER_BATCH
from apps.science.metrics.conformations.stability import follow_time
from apps.science.resampling import Figure, bound_value, compare_blocks
from apps.science.units import thermal_energy

SHARE_OF_GYRATION = 0.5
LARGEST_ANGSTROM = 4.0


class Metric:
    """Differences of the fraction folded, and of dG = -kT ln(p / (1 - p)).

    A frame is folded below ``folded_angstrom`` of RMSD: what was asked for, else half
    the native radius of gyration, at most 4 Angstrom (2.5 for chignolin).
    """

    label = "fraction folded"
    unit = ""

    def undefined(self, beads: Beads) -> str | None:
        """Return why there is none, None if there is."""
        if beads.native is None:
            return "no native structure is given"
        return None if beads.n_beads > 2 else "fewer than three beads"

    def compare(self, comparison: Comparison) -> Result:
        """Return ``fraction`` and, where both sets fold and unfold, ``delta_g``."""
        beads = comparison.beads
        limit = folding_limit(beads)
        sets = {"reference": comparison.reference, "model": comparison.model}
        sums = {k: sum_folded(s, beads, limit) for k, s in sets.items()}
        share = {k: float(s[:, 0].sum() / s[:, 1].sum()) for k, s in sums.items()}
        both = [sums["reference"], sums["model"]]
        ess = (sets["reference"].ess, sets["model"].ess)
        figures: dict[str, Figure] = {
            "fraction": compare_blocks(
                lambda a, b, _x, _y: np.abs(a[:, 0] / a[:, 1] - b[:, 0] / b[:, 1]),
                both, ess, comparison.plan, "",
            )
        }  # fmt: skip
        known = beads.temperature_kelvin is not None
        scale = thermal_energy(beads.temperature_kelvin or 0.0) if known else 1.0
        unit = "kcal/mol" if known else "kT"
        details: dict[str, Any] = {
            "folded_angstrom": limit,
            "reference_fraction": share["reference"],
            "model_fraction": share["model"],
            **{
                f"{name}_fraction_interval": bound_share(sums[name], plan)
                for name, plan in (
                    ("reference", comparison.plan.reference),
                    ("model", comparison.plan.model),
                )
            },
            "delta_g_unit": unit,
        }
        stuck = [
            f"the {name} is {'always' if p else 'never'} folded"
            for name, p in share.items()
            if p in {0.0, 1.0}
        ]
        if stuck:
            details["delta_g_undefined"] = " and ".join(stuck)
        else:
            figures["delta_g"] = compare_blocks(
                lambda a, b, x, y: np.abs(free_energy(a, x) - free_energy(b, y))
                * scale,
                both, ess, comparison.plan, unit,
            )  # fmt: skip
            for name, one in sums.items():
                value = free_energy(one.sum(0)[None], sets[name].ess)[0] * scale
                details[f"{name}_delta_g"] = float(value)
        course = comparison.model_course
        time_ps, folded = follow_time(course, judge_folded(course, beads, limit))
        return Result(figures, details, {"time_ps": time_ps, "course": folded})


def folding_limit(beads: Beads) -> float:
    """Return the RMSD, Angstrom, below which a frame is folded."""
    if beads.folded_angstrom is not None:
        return beads.folded_angstrom
    if beads.native is None:
        raise TypeError("a limit needs a native structure; ask undefined() first.")
    size = float(measure_gyration(beads.native[None])[0])
    return min(LARGEST_ANGSTROM, SHARE_OF_GYRATION * size)


def judge_folded(one: WeightedSet, beads: Beads, limit: float) -> Array:
    """Return (n_frames,): 1 folded, 0 not, NaN where not finite."""
    if beads.native is None:
        raise TypeError("folding needs a native structure; ask undefined() first.")
    found = np.full(len(one.positions), np.nan)
    rows = np.flatnonzero(np.isfinite(one.positions).all(axis=(1, 2)))
    for start in range(0, len(rows), N_FRAMES_PER_BATCH):
        some = rows[start : start + N_FRAMES_PER_BATCH]
        found[some] = measure_rmsd(one.positions[some], beads.native) < limit
    return found


def sum_folded(one: WeightedSet, beads: Beads, limit: float) -> Array:
    """Return the weight that is folded, and all weight, by block, (n_blocks, 2)."""
    folded = judge_folded(one, beads, limit)
    return np.stack(
        [
            np.bincount(one.block, part, minlength=one.n_blocks)
            for part in (one.weight * folded, one.weight)
        ],
        axis=1,
    )


def bound_share(sums: Array, plan: Array) -> list[float]:
    """Return the 95 % interval of a share, [low, high].

    Where all blocks agree on none or all, a bootstrap knows no other value: then the
    rule of three (Hanley and Lippman-Hand, 1983) bounds what n blocks could miss.

    Parameters
    ----------
    sums : (n_blocks, 2), the part and the whole
    plan : (n_bootstrap, n_blocks), how often each block is drawn
    """
    value = float(sums[:, 0].sum() / sums[:, 1].sum())
    n_blocks = len(sums)
    unseen = min(1.0, 3.0 / n_blocks)
    if value <= 0.0:
        return [0.0, unseen]
    if value >= 1.0:
        return [1.0 - unseen, 1.0]
    with np.errstate(divide="ignore", invalid="ignore"):  # a row may hold no weight
        part, whole = (plan @ sums).T
        rows = part / whole
    low, high = bound_value(value, rows, n_blocks)
    return [max(0.0, low), min(1.0, high)]


def free_energy(sums: Array, ess: float) -> Array:
    """Return -ln(p / (1 - p)), kT, of rows of (folded, all), (n_rows,).

    Half an effective sample is added to each side, so that a resampled row without
    one side has a large value and not an infinite one.
    """
    folded = sums[:, 0] / sums[:, 1]
    half = 0.5 / ess
    return np.asarray(-np.log((folded + half) / (1.0 - folded + half)))
