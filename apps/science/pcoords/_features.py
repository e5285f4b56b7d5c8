"""Internal coordinates of beads: what TICA and the dihedral coordinate look at."""

from typing import Literal

import numpy as np

from apps.science.arrays import Array, IntArray
from apps.science.errors import ShapeMismatchError

FeatureKind = Literal["distances", "dihedrals"]

MIN_SEPARATION = 3
"""Nearer pairs along the chain are set by bonds and angles."""


def feature_indices(kind: FeatureKind, n_beads: int) -> IntArray:
    """Return the beads of each feature, (n, 2) pairs or (n, 4) quadruples.

    Raises
    ------
    ShapeMismatchError
        If the chain is too short to have one.
    """
    if kind == "distances":
        first, second = np.triu_indices(n_beads, k=MIN_SEPARATION)
        found = np.stack([first, second], axis=1)
    else:
        start = np.arange(max(0, n_beads - 3))
        found = start[:, None] + np.arange(4)
    if len(found) == 0:
        raise ShapeMismatchError(
            f"{n_beads} beads have no {kind}; at least 4 are needed. Use backbone "
            "beads for a short chain."
        )
    return found


def compute_features(kind: FeatureKind, positions: Array, indices: IntArray) -> Array:
    """Return (n_frames, n_features) float64.

    Distances in Angstrom; of dihedrals the cosines, then the sines, so that a
    periodic angle has no jump and mirror images differ.

    Parameters
    ----------
    positions : (n_frames, n_beads, 3), Angstrom
    indices : from ``feature_indices``
    """
    beads = np.asarray(positions, dtype=float)
    if kind == "distances":
        difference = beads[:, indices[:, 0]] - beads[:, indices[:, 1]]
        distances: Array = np.linalg.norm(difference, axis=-1)
        return distances
    angles = dihedral_angles(beads, indices)
    return np.concatenate([np.cos(angles), np.sin(angles)], axis=1)


def dihedral_angles(positions: Array, indices: IntArray) -> Array:
    """Return (n_frames, n_dihedrals), radians, -pi to pi, IUPAC sign.

    Parameters
    ----------
    positions : (n_frames, n_points, 3)
    indices : (n_dihedrals, 4)
    """
    a, b, c, d = (positions[:, indices[:, k]] for k in range(4))
    first, axis, last = b - a, c - b, d - c
    normal_1, normal_2 = np.cross(first, axis), np.cross(axis, last)
    length = np.linalg.norm(axis, axis=-1)
    y = length * np.einsum("fqx,fqx->fq", first, normal_2)
    x = np.einsum("fqx,fqx->fq", normal_1, normal_2)
    angles: Array = np.arctan2(y, x)
    return angles
