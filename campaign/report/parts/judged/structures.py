"""Bead traces drawn in a row of times, all seen from one side and at one scale."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb

from apps.science.arrays import Array, IntArray
from apps.science.segments.frames import WeightedFrames
from apps.science.segments.store import open_store
from campaign.telling import words

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
    """Return rows that show a set's course, evenly over time.

    From the trajectory that covers most time where one covers most of it (plain MD);
    else, where a set is of many short pieces, the heaviest frame of all at each time.
    """
    time = frames.time_ps
    names, index = np.unique(frames.trajectory, return_inverse=True)
    low, high = np.full(len(names), np.inf), np.full(len(names), -np.inf)
    np.minimum.at(low, index, time)
    np.maximum.at(high, index, time)
    longest = int(np.argmax(high - low))
    rows = np.flatnonzero(index == longest)
    if (high - low)[longest] < 0.5 * np.ptp(time):
        rows = np.arange(len(time))
    return _spread(rows, time, frames.weight, n_times)


def follow_walker(
    segments: Path, segment_ps: float, frame_ps: float, n_times: int = N_TIMES
) -> tuple[Array, Array]:
    """Return the course of the walker that is heaviest at the end of a WE run.

    Its ancestors are followed to the start by (n_iter, parent), so the frames are one
    continuous trajectory.

    Returns
    -------
    positions (n_times, n_beads, 3), Angstrom, and times (n_times,), ps
    """
    with open_store(segments) as h5:
        n_iter, seg_id = h5["n_iter"][:].astype(int), h5["seg_id"][:]
        parent, weight, frame = h5["parent"][:], h5["weight"][:], h5["frame"][:]
        last = int(n_iter.max())
        ends = np.flatnonzero(n_iter == last)
        walker = int(seg_id[ends[np.argmax(weight[ends])]])
        rows: list[int] = []
        for iteration in range(last, 0, -1):
            low, high = np.searchsorted(n_iter, [iteration, iteration + 1])
            mine = low + np.flatnonzero(seg_id[low:high] == walker)
            if not len(mine):
                break
            rows.extend(mine.tolist()[::-1])
            walker = int(parent[mine[0]])
            if walker < 0:
                break
        course = np.array(rows[::-1])
        time = (n_iter[course] - 1) * segment_ps + (frame[course] + 1.0) * frame_ps
        order = np.arange(len(course))
        picked = _spread(order, time, weight[course], n_times)
        positions = h5["positions"][np.sort(course[picked])]
    return np.asarray(positions, dtype=float), np.asarray(time[picked])


def frame_label(trace: Trace) -> str:
    """Return the time of a structure and its RMSD to what it is superposed on."""
    time = words.simulated(trace.time_ps)
    if not np.isfinite(trace.beads).all():
        return f"{time}  ·  not finite"
    return f"{time}  ·  {trace.rmsd:.1f} Å"


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


def make_traces(positions: Array, time_ps: Array, onto: Array) -> list[Trace]:
    """Return structures superposed on ``onto``, Angstrom."""
    traces = []
    for beads, time in zip(positions, time_ps, strict=True):
        moved, rmsd = superpose(np.asarray(beads, dtype=float), onto)
        traces.append(Trace(moved, float(time), rmsd))
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
        axes.plot(
            *flat.T, color=tone, lw=5, zorder=2 + rank / 100, solid_capstyle="round"
        )
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


def _spread(rows: IntArray, time: Array, weight: Array, n_times: int) -> IntArray:
    """Return of ``rows`` the nearest to even times, the heaviest where several are."""
    picked = set()
    for when in np.linspace(time[rows].min(), time[rows].max(), n_times):
        distance = np.abs(time[rows] - when)
        near = rows[distance <= distance.min() + 1e-6]
        picked.add(int(near[np.argmax(weight[near])]))
    return np.array(sorted(picked, key=lambda r: float(time[r])))


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
