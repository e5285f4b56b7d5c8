"""Refuse weights that no training set can be made of."""

import numpy as np

from apps.science.arrays import Array, IntArray
from apps.science.errors import WeightError

_TOLERANCE = 1e-6


def check_weights(
    weight: Array, n_iter: IntArray, frame: IntArray, lost: Array
) -> None:
    """Require that each iteration's weights sum to one, at every saved frame.

    Parameters
    ----------
    weight, n_iter, frame : (n_frames,)
    lost : (last_iter,), mass that ingestion left out; empty for none

    Raises
    ------
    WeightError
        If one does not, or a weight is negative or not finite.
    """
    if not np.isfinite(weight).all() or (weight < 0).any():
        raise WeightError(
            "Frame weights must be finite and not negative; found "
            f"{np.nanmin(weight):g} to {np.nanmax(weight):g}. Ingest the run again."
        )
    iterations, which = np.unique(n_iter, return_inverse=True)
    frames, when = np.unique(frame, return_inverse=True)
    mass = np.zeros((len(iterations), len(frames)))
    np.add.at(mass, (which, when), weight)
    if len(lost):
        mass += lost[np.minimum(iterations - 1, len(lost) - 1)][:, None]
    away = np.abs(mass - 1.0).max(axis=1)
    if away.max() > _TOLERANCE:
        worst = int(away.argmax())
        raise WeightError(
            f"The weights of iteration {iterations[worst]} sum to "
            f"{mass[worst][np.abs(mass[worst] - 1.0).argmax()]:.9f}; expected 1 within "
            "1e-6. Its frames and weights do not belong together: ingest it again."
        )
