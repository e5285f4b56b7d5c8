"""What is left to learn: mapped atomistic forces minus the prior's."""

import numpy as np

from apps.science.arrays import Array
from apps.science.errors import ShapeMismatchError


class LinearMap:
    """Beads from atoms, in double precision, touching only the atoms that count.

    A C-alpha map needs 10 of chignolin's 166 atoms; the rest is not even converted.

    Parameters
    ----------
    matrix : (n_beads, n_atoms)
    """

    def __init__(self, matrix: Array) -> None:
        self.n_beads, self.n_atoms = matrix.shape
        self._atoms = np.flatnonzero(matrix.any(axis=0))
        self._matrix = np.ascontiguousarray(matrix[:, self._atoms], dtype=np.float64)

    def apply(self, values: Array) -> Array:
        """Return (n_frames, n_beads, 3) from (n_frames, n_atoms, 3).

        Raises
        ------
        ShapeMismatchError
            If the map was built for another system.
        """
        if values.ndim != 3 or values.shape[1:] != (self.n_atoms, 3):
            raise ShapeMismatchError(
                f"Got an array of shape {values.shape} but the map covers (n_frames, "
                f"{self.n_atoms}, 3). Rebuild the mapping from the topology used for "
                "sampling."
            )
        used = values if len(self._atoms) == self.n_atoms else values[:, self._atoms]
        mapped: Array = np.matmul(self._matrix, used.astype(np.float64))
        return mapped


def subtract_prior(bead_forces: Array, prior_forces: Array) -> Array:
    """Return what the prior leaves to learn, (n_frames, n_beads, 3), kcal/mol/Å.

    Raises
    ------
    ShapeMismatchError
        If the prior is of other beads.
    """
    if prior_forces.shape != bead_forces.shape:
        raise ShapeMismatchError(
            f"Prior forces have shape {prior_forces.shape}; expected "
            f"{bead_forces.shape}. Use the prior of this mapping."
        )
    delta: Array = bead_forces - prior_forces
    return delta
