"""Lengths, angles and sizes of bead frames (n_frames, n_beads, 3), Angstrom."""

import numpy as np

from apps.science.arrays import Array, IntArray

MIN_SEPARATION = 3
"""Beads nearer than this along the chain say nothing about the fold."""


def measure_distances(positions: Array, pairs: IntArray) -> Array:
    """Return (n_frames, n_pairs), Angstrom."""
    x = np.asarray(positions, dtype=float)
    return np.asarray(np.linalg.norm(x[:, pairs[:, 0]] - x[:, pairs[:, 1]], axis=-1))


def measure_angles(positions: Array, triples: IntArray) -> Array:
    """Return the angles at the middle beads, (n_frames, n_triples), degrees."""
    x = np.asarray(positions, dtype=float)
    left = x[:, triples[:, 0]] - x[:, triples[:, 1]]
    right = x[:, triples[:, 2]] - x[:, triples[:, 1]]
    sine = np.linalg.norm(np.cross(left, right), axis=-1)
    return np.asarray(np.degrees(np.arctan2(sine, (left * right).sum(-1))))


def measure_dihedrals(positions: Array, quadruples: IntArray) -> Array:
    """Return (n_frames, n_quadruples), degrees in -180 to 180, IUPAC sign."""
    x = np.asarray(positions, dtype=float)
    a, b, c, d = (x[:, quadruples[:, k]] for k in range(4))
    axis = c - b
    first, second = np.cross(b - a, axis), np.cross(axis, d - c)
    sine = (np.cross(first, second) * axis).sum(-1) / np.linalg.norm(axis, axis=-1)
    return np.asarray(np.degrees(np.arctan2(sine, (first * second).sum(-1))))


def measure_gyration(positions: Array) -> Array:
    """Return the radius of gyration, equal bead weights, (n_frames,), Angstrom."""
    x = np.asarray(positions, dtype=float)
    x = x - x.mean(axis=1, keepdims=True)
    return np.asarray(np.sqrt((x**2).sum(-1).mean(-1)))


def measure_rmsd(positions: Array, native: Array) -> Array:
    """Return the least RMSD to ``native`` over proper rotations, (n_frames,), Angstrom.

    Kabsch's algorithm; a mirror image is not superposed.
    """
    x = np.asarray(positions, dtype=float)
    x = x - x.mean(axis=1, keepdims=True)
    y = native - native.mean(axis=0)
    covariance = np.einsum("fni,nj->fij", x, y)
    singular = np.linalg.svd(covariance, compute_uv=False)
    singular[:, -1] *= np.sign(np.linalg.det(covariance))
    square = (x**2).sum((1, 2)) + (y**2).sum() - 2 * singular.sum(-1)
    return np.asarray(np.sqrt(np.maximum(square, 0.0) / len(native)))


def far_pairs(n_beads: int) -> IntArray:
    """Return the pairs i < j with j - i >= 3, (n_pairs, 2), ordered by i, then j."""
    return np.stack(np.triu_indices(n_beads, k=MIN_SEPARATION), axis=1)
