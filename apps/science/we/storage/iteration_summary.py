"""What one iteration looked like, in the few numbers that are watched."""

from typing import Any

import numpy as np

from apps.science.arrays import Array
from apps.science.we.storage.shards import FinishedBlock


def summarise(weights: Array, pcoords: Array) -> dict[str, Any]:
    """Describe an ensemble.

    Parameters
    ----------
    weights : (n_segments,)
    pcoords : (n_segments, n_frames + 1, n_dim)
    """
    low, middle, high = np.quantile(weights, (0.05, 0.5, 0.95))
    return {
        "n_segments": len(weights),
        "weight_min": float(weights.min()),
        "weight_p05": float(low),
        "weight_p50": float(middle),
        "weight_p95": float(high),
        "weight_max": float(weights.max()),
        "ess": float(weights.sum() ** 2 / (weights**2).sum()),
        "pcoord_min": [float(x) for x in pcoords.min(axis=(0, 1))],
        "pcoord_max": [float(x) for x in pcoords.max(axis=(0, 1))],
    }


def summarise_work(
    blocks: list[FinishedBlock], n_restored: int, seconds: float, n_slots: int
) -> dict[str, Any]:
    """Describe how an iteration's propagation went.

    Parameters
    ----------
    blocks : all of the iteration, the ``n_restored`` found on disk first
    seconds : wall time from the first block sent to the last one collected
    n_slots : workers there were
    """
    each = np.repeat(
        [block.seconds / len(block.seg_ids) for block in blocks],
        [len(block.seg_ids) for block in blocks],
    )
    worked = sum(block.seconds for block in blocks[n_restored:])
    idle = 1.0 - worked / (n_slots * seconds) if seconds > 0 else 0.0
    return {
        "segment_s": {
            "min": float(each.min()),
            "median": float(np.median(each)),
            "p95": float(np.quantile(each, 0.95)),
            "max": float(each.max()),
        },
        # an iteration that was partly found on disk says nothing about idling
        "idle_share": None if n_restored else min(max(idle, 0.0), 1.0),
        "n_slots": n_slots,
        "n_blocks": len(blocks),
        "n_blocks_restored": n_restored,
    }
