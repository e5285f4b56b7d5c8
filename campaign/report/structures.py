"""Bead traces drawn in a row of times, all seen from one side and at one scale."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb

from apps.science.arrays import Array, IntArray
from apps.science.segments.frames import WeightedFrames

N_TIMES = 5
N_SMOOTH = 8
STRETCHED = 1.35
"""A bond longer than this times its reference length is drawn as broken."""
BROKEN = "#c0392b"


@dataclass(frozen=True)
class Trace:
    """One structure to draw: beads (n_beads, 3) in Angstrom at a time in ps."""

    beads: Array
    time_ps: float
    rmsd: float


def pick_frames(frames: WeightedFrames, n_times: int = N_TIMES) -> IntArray:
    """Return the rows of frames that show one walker's course, evenly over time.

    One trajectory where one covers most of the time (plain MD); else, for a weighted
    ensemble, the lineage that holds most weight at the end, and at each time its
    heaviest frame.
    """
    time = frames.time_ps
    span = time.max() - time.min()
    longest = {
        int(t): float(np.ptp(time[frames.trajectory == t]))
        for t in np.unique(frames.trajectory)[:64]
    }
    label = frames.trajectory
    chosen = max(longest, key=lambda t: (longest[t], -t))
    if longest[chosen] < 0.5 * span:
        label = frames.lineage
        late = time >= time.max() - 0.1 * span
        roots, index = np.unique(label[late], return_inverse=True)
        chosen = int(roots[np.argmax(np.bincount(index, frames.weight[late]))])
    rows = np.flatnonzero(label == chosen)
    picked = []
    for when in np.linspace(time[rows].min(), time[rows].max(), n_times):
        distance = np.abs(time[rows] - when)
        near = rows[distance <= distance.min() + 1e-6]
        picked.append(int(near[np.argmax(frames.weight[near])]))
    return np.array(sorted(set(picked), key=lambda r: time[r]))


def lay_flat(beads: Array) -> Array:
    """Return the rotation (3, 3) that shows a structure at its broadest.

    Rows are the axes of the drawing: right, up, towards the eye.
    """
    axes: Array = np.linalg.svd(beads - beads.mean(axis=0), full_matrices=True)[2]
    if np.linalg.det(axes) < 0:
        axes[2] *= -1  # a mirror would turn the chirality
    return axes


def superpose(beads: Array, onto: Array) -> tuple[Array, float]:
    """Return beads moved onto ``onto`` (Kabsch) and the RMSD, Angstrom."""
    moved, fixed = beads - beads.mean(axis=0), onto - onto.mean(axis=0)
    if not np.isfinite(moved).all():
        return moved, float("nan")
    u, _, vt = np.linalg.svd(moved.T @ fixed)
    flip = np.diag([1.0, 1.0, np.sign(np.linalg.det(u @ vt))])
    turned = moved @ (u @ flip @ vt)
    return turned, float(np.sqrt(np.square(turned - fixed).sum(axis=1).mean()))


def make_traces(
    frames: WeightedFrames, onto: Array, n_times: int = N_TIMES
) -> list[Trace]:
    """Return the structures of one set, superposed on ``onto``."""
    traces = []
    for row in pick_frames(frames, n_times):
        beads, rmsd = superpose(np.asarray(frames.positions[row], float), onto)
        traces.append(Trace(beads, float(frames.time_ps[row]), rmsd))
    return traces


def draw_trace(
    axes: Axes,
    centre: tuple[float, float],
    beads: Array,
    bonds: IntArray,
    bond_lengths: Array,
    colour: str,
) -> None:
    """Draw one structure around ``centre``: far parts first, N pale to C full.

    Parameters
    ----------
    beads : (n_beads, 3), Angstrom: right, up, towards the eye
    bonds : (n_bonds, 2)
    bond_lengths : (n_bonds,), Angstrom, of the reference
    """
    n = len(beads)
    offset = np.array(centre)
    broken: list[Array] = []
    curves: list[tuple[float, Array, tuple[float, float, float]]] = []
    for (i, j), usual in zip(bonds, bond_lengths, strict=True):
        if np.linalg.norm(beads[i] - beads[j]) > STRETCHED * usual:
            broken.append(beads[[i, j]])
            continue
        curve = _curve_between(beads, int(i), int(j))
        tone = _tone(colour, (i + j) / 2 / max(1, n - 1))
        curves.append((float(curve[:, 2].mean()), curve[:, :2] + offset, tone))
    # far bonds first, each on a white band, so that a crossing shows its order
    for rank, (_, flat, tone) in enumerate(sorted(curves, key=lambda c: c[0])):
        axes.plot(*flat[1:-1].T, color="white", lw=8, zorder=2 + rank / 100,
                  solid_capstyle="butt")  # fmt: skip
        axes.plot(*flat.T, color=tone, lw=5, zorder=2 + rank / 100,
                  solid_capstyle="round")  # fmt: skip
    for pair in broken:
        axes.plot(*(pair[:, :2] + offset).T, color=BROKEN, lw=1, ls=":")
    order = np.argsort(beads[:, 2])
    flat_beads = beads[order, :2] + offset
    axes.scatter(
        flat_beads[:, 0], flat_beads[:, 1], s=34, lw=0.9, edgecolors="white", zorder=4,
        c=[_tone(colour, k / max(1, n - 1)) for k in order],
    )  # fmt: skip


def half_extent(sets: dict[str, list[Trace]], view: Array) -> float:
    """Return half the side of a square that holds every structure, Angstrom."""
    reach = [
        np.abs(t.beads @ view.T)[:, :2].max()
        for traces in sets.values()
        for t in traces
        if np.isfinite(t.beads).all()
    ]
    usual = max(
        (np.abs(t.beads @ view.T)[:, :2].max() for t in sets["reference"]), default=5.0
    )
    return float(min(max(reach, default=5.0), 2.0 * usual)) * 1.06


def _curve_between(beads: Array, i: int, j: int) -> Array:
    """Return a Catmull-Rom curve (N_SMOOTH + 1, 3) from bead i to bead j."""
    n = len(beads)
    before, after = max(0, min(i, j) - 1), min(n - 1, max(i, j) + 1)
    a, b = (before, after) if i < j else (after, before)
    if abs(i - j) != 1:  # not along the chain: a straight line
        a, b = i, j
    p0, p1, p2, p3 = beads[a], beads[i], beads[j], beads[b]
    t = np.linspace(0, 1, N_SMOOTH + 1)[:, None]
    curve: Array = 0.5 * (
        2 * p1
        + (p2 - p0) * t
        + (2 * p0 - 5 * p1 + 4 * p2 - p3) * t**2
        + (3 * p1 - p0 - 3 * p2 + p3) * t**3
    )
    return curve


def _tone(colour: str, along: float) -> tuple[float, float, float]:
    """Return the colour, paler towards the start of the chain."""
    share = 0.42 + 0.58 * along
    r, g, b = (1 - share * (1 - c) for c in to_rgb(colour))
    return r, g, b


def row_labels(traces: dict[str, list[Trace]]) -> dict[str, Any]:
    """Return the numbers behind the drawing."""
    return {
        name: [
            {"time_ps": t.time_ps, "rmsd_angstrom": t.rmsd, "beads": t.beads}
            for t in rows
        ]
        for name, rows in traces.items()
    }
