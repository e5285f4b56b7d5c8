"""Bond lengths, angles, dihedrals and pair distances of bead frames (numpy)."""

from collections.abc import Sequence

import numpy as np

from apps.science.arrays import Array


def measure_distances(positions: Array, pairs: Sequence[Sequence[int]]) -> Array:
    """Return distances (n_frames, n_pairs), Angstrom."""
    i, j = np.asarray(pairs, dtype=int).reshape(-1, 2).T
    distance: Array = np.linalg.norm(positions[:, j] - positions[:, i], axis=-1)
    return distance


def measure_angles(positions: Array, triples: Sequence[Sequence[int]]) -> Array:
    """Return angles (n_frames, n_angles), rad, in [0, pi]."""
    i, j, k = np.asarray(triples, dtype=int).reshape(-1, 3).T
    one = positions[:, i] - positions[:, j]
    two = positions[:, k] - positions[:, j]
    cross = np.linalg.norm(np.cross(one, two), axis=-1)
    angle: Array = np.arctan2(cross, (one * two).sum(axis=-1))
    return angle


def measure_dihedrals(positions: Array, quads: Sequence[Sequence[int]]) -> Array:
    """Return dihedrals (n_frames, n_dihedrals), rad, in (-pi, pi], IUPAC sign."""
    i, j, k, m = np.asarray(quads, dtype=int).reshape(-1, 4).T
    b1 = positions[:, j] - positions[:, i]
    b2 = positions[:, k] - positions[:, j]
    b3 = positions[:, m] - positions[:, k]
    n1, n2 = np.cross(b1, b2), np.cross(b2, b3)
    sine = np.linalg.norm(b2, axis=-1) * (b1 * n2).sum(axis=-1)
    dihedral: Array = np.arctan2(sine, (n1 * n2).sum(axis=-1))
    return dihedral
