"""Weights in numbers: how many frames they are worth, and how they are spread."""

from typing import Any, Final

import numpy as np

from apps.science.arrays import Array
from apps.science.statistics import kish_samples

_N_BINS: Final = 12


def describe_weights(weight: Array) -> dict[str, Any]:
    """Return effective number, largest share and histogram of frames' weights.

    Parameters
    ----------
    weight : (n_frames,), not negative; any overall scale
    """
    total = float(weight.sum())
    above = weight[weight > 0]
    if not len(above):
        return {"n_frames": len(weight), "n_zero": len(weight)}
    return {
        "n_frames": len(weight),
        "n_zero": int(len(weight) - len(above)),
        # of shares: squares of the smallest WE weights would underflow
        "ess": float(kish_samples(1.0, np.square(above / total).sum())),
        "largest": float(above.max()),
        "largest_share": float(above.max() / total),
        "smallest": float(above.min()),
        "histogram": count_decades(above * (len(weight) / total)),
    }


def count_decades(weight: Array) -> list[dict[str, float]]:
    """Return at most 12 bins of log10 weight, largest first, frames and mass in each.

    Parameters
    ----------
    weight : (n_frames,), above zero, in units of the mean
    """
    exponent = np.log10(weight)
    high = np.floor(exponent.max()) + 1
    step = max(1.0, np.ceil((high - np.floor(exponent.min())) / _N_BINS))
    which = np.ceil((high - exponent) / step).astype(int) - 1
    frames = np.bincount(which)
    mass = np.bincount(which, weight) / weight.sum()
    return [
        {
            "from_log10": float(high - (k + 1) * step),
            "to_log10": float(high - k * step),
            "n_frames": int(frames[k]),
            "weight_share": float(mass[k]),
        }
        for k in range(len(frames))
    ]


def describe_equilibrium(dataset: Any, rows: Any = None) -> dict[str, Any]:
    """Return what a stored ``weight_eq`` is worth and says of the ensemble.

    Parameters
    ----------
    rows : which of its frames; None for all
    """
    weight = dataset[:] if rows is None else dataset[:][rows]
    said = {k: v.item() if hasattr(v, "item") else v for k, v in dataset.attrs.items()}
    distance = float(said.get("distance", 0.0))
    return describe_weights(weight) | {
        "distance": distance,
        "has_relaxed": distance <= float(said.get("tolerated_distance", 0.1)),
        "relaxation_iterations": said.get("relaxation_iterations"),
        "provenance": said,
    }
