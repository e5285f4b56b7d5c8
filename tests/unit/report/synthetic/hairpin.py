"""A ten-bead hairpin that folds and unfolds, and two reference walks of it.

Internal coordinates follow a slow double-well variable, so that there is a slow
coordinate for TICA to find and two basins for a model to get wrong.
"""

from pathlib import Path

import numpy as np

from apps.science.arrays import Array
from apps.science.pcoords._features import compute_features, feature_indices
from apps.science.pcoords.tica import TicaModel
from apps.science.segments.frames import WeightedFrames

N_BEADS = 10
FOLDED = np.radians([-170, -150, 60, 55, -120, -150, -170.0])
UNFOLDED = np.radians([-140, 160, -150, 170, 165, -160, 150.0])


def slow_walk(n: int, rng: np.random.Generator, start: float, tilt: float) -> Array:
    """Return (n,) of an overdamped walk in a tilted double well."""
    s = np.empty(n)
    s[0] = start
    for k in range(1, n):
        force = -4 * s[k - 1] * (s[k - 1] ** 2 - 1) + tilt
        s[k] = s[k - 1] + 0.02 * force + 0.13 * rng.normal()
    return s


def place_beads(s: Array, rng: np.random.Generator, noise: float = 1.0) -> Array:
    """Return (n, N_BEADS, 3) Angstrom from the slow variable, by internal angles."""
    n = len(s)
    share = 1 / (1 + np.exp(-3 * s))[:, None]
    turn = FOLDED - UNFOLDED
    turn = (turn + np.pi) % (2 * np.pi) - np.pi
    dihedrals = UNFOLDED + share * turn + 0.25 * noise * rng.normal(size=(n, 7))
    angles = np.radians(115 + 8 * noise * rng.normal(size=(n, 8)))
    bonds = 3.82 + 0.05 * noise * rng.normal(size=(n, 9))
    beads = np.zeros((n, N_BEADS, 3))
    beads[:, 1, 0] = bonds[:, 0]
    beads[:, 2, 0] = bonds[:, 0] - bonds[:, 1] * np.cos(angles[:, 0])
    beads[:, 2, 1] = bonds[:, 1] * np.sin(angles[:, 0])
    for k in range(3, N_BEADS):
        a, b, c = beads[:, k - 3], beads[:, k - 2], beads[:, k - 1]
        along = (c - b) / np.linalg.norm(c - b, axis=1, keepdims=True)
        normal = np.cross(b - a, along)
        normal /= np.linalg.norm(normal, axis=1, keepdims=True)
        third = np.cross(normal, along)
        theta, phi, r = angles[:, k - 2], dihedrals[:, k - 3], bonds[:, k - 1]
        step = (
            np.stack(
                [
                    -np.cos(theta),
                    np.sin(theta) * np.cos(phi),
                    np.sin(theta) * np.sin(phi),
                ],
                axis=1,
            )
            * r[:, None]
        )
        frame = np.stack([along, third, normal], axis=1)
        beads[:, k] = c + np.einsum("nk,nkx->nx", step, frame)
    return beads


def solve_tica(walks: list[Array], lag: int) -> TicaModel:
    """Return the two slowest components of bead distances, of unit variance."""
    indices = feature_indices("distances", N_BEADS)
    values = [compute_features("distances", w, indices) for w in walks]
    mean = np.concatenate(values).mean(axis=0)
    early = np.concatenate([v[:-lag] for v in values]) - mean
    late = np.concatenate([v[lag:] for v in values]) - mean
    level, axes = np.linalg.eigh(early.T @ early / len(early))
    whiten = axes[:, -8:] / np.sqrt(level[-8:])
    lagged = whiten.T @ (early.T @ late) @ whiten / len(early)
    slow, vectors = np.linalg.eigh((lagged + lagged.T) / 2)
    components = whiten @ vectors[:, ::-1][:, :2]
    return TicaModel(
        "distances", indices, N_BEADS, mean, components, slow[::-1][:2],
        -2.0 / np.log(slow[::-1][:2]), 2.0,
    )  # fmt: skip


def write_reference(root: Path) -> TicaModel:
    """Write two walks of 300 ps as frames and the TICA model on them."""
    rng = np.random.default_rng(3)
    walks = [place_beads(slow_walk(1500, rng, s, 0.0), rng) for s in (1.0, -1.0)]
    tica = solve_tica(walks, 10)
    tica.write(root / "reference" / "tica.npz")
    time = np.tile(np.arange(1500) * 0.2, 2)
    trajectory = np.repeat([0, 1], 1500)
    WeightedFrames(
        np.concatenate(walks).astype("f4"),
        np.ones(3000),
        trajectory * 100 + (time // 20).astype(int),
        trajectory,
        time,
    ).write(root / "reference" / "frames.h5")
    return tica
