"""Best superposition of two structures (Kabsch, Acta Cryst. A32, 922, 1976)."""

import numpy as np

from apps.science.arrays import Array


def superposed_rmsd(positions: Array, reference: Array) -> Array:
    """Return (n_frames,) RMSD after best rotation, in the unit of the input.

    Parameters
    ----------
    positions : (n_frames, n_points, 3)
    reference : (n_points, 3)
    """
    moved = positions - positions.mean(axis=1, keepdims=True)
    fixed = reference - reference.mean(axis=0)
    covariance = np.einsum("fai,aj->fij", moved, fixed)
    singular = np.linalg.svd(covariance, compute_uv=False)
    # A mirror image must not count as a match: the smallest axis turns its sign.
    singular[:, -1] *= np.sign(np.linalg.det(covariance))
    total = np.square(moved).sum(axis=(1, 2)) + np.square(fixed).sum()
    squared = (total - 2.0 * singular.sum(axis=1)) / positions.shape[1]
    rmsd: Array = np.sqrt(np.clip(squared, 0.0, None))
    return rmsd
