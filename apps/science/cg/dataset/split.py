"""Which frames train and which validate: whole lineages or blocks of iterations.

Frames of one walker, and of walkers that share an ancestor, are alike; a split by
single frame would put near copies on both sides and flatter the validation loss.
"""

import logging

import numpy as np

from apps.science.arrays import IntArray

_log = logging.getLogger(__name__)

TRAIN, VALIDATION = 0, 1
_FEWEST_ROOTS = 10
_N_BLOCKS = 20


def assign_split(
    n_iter: IntArray, root: IntArray, fraction: float, seed: int
) -> tuple[IntArray, str]:
    """Return 0 (train) or 1 (validation) per frame, and how it was decided.

    Lineages are used where at least ten of them hold frames and some set of them
    comes within half of ``fraction``; WE lets a few founders take over, so otherwise
    blocks of iterations are.

    Parameters
    ----------
    n_iter, root : (n_frames,)
    fraction : share of frames that validate
    """
    n_frames = len(n_iter)
    if fraction <= 0.0 or n_frames < 2:
        return np.zeros(n_frames, dtype=np.int8), "none"
    rng = np.random.default_rng(seed)
    chosen = _choose_roots(root, fraction, rng)
    if chosen is not None:
        return np.isin(root, chosen).astype(np.int8), "lineage"
    return _choose_blocks(n_iter, fraction, rng), "iteration block"


def _choose_roots(
    root: IntArray, fraction: float, rng: np.random.Generator
) -> IntArray | None:
    names, sizes = np.unique(root, return_counts=True)
    if len(names) < _FEWEST_ROOTS:
        return None
    chosen = _take_about(sizes, fraction * len(root), rng)
    return None if chosen is None else names[chosen]


def _take_about(
    sizes: IntArray, wanted: float, rng: np.random.Generator
) -> list[int] | None:
    """Draw groups whose sizes add up to ``wanted`` within a quarter, or None."""
    taken, chosen = 0, []
    for k in rng.permutation(len(sizes)):
        if taken + sizes[k] <= 1.25 * wanted:
            chosen.append(int(k))
            taken += int(sizes[k])
        if taken >= 0.75 * wanted:
            return chosen
    return None


def _choose_blocks(
    n_iter: IntArray, fraction: float, rng: np.random.Generator
) -> IntArray:
    """Cut the iterations into blocks and draw some that hold the share of frames.

    Iterations differ in walkers, so frames are counted, not blocks: the first
    iterations may hold a hundredth of the frames of the last.
    """
    iterations = np.unique(n_iter)
    n_blocks = min(_N_BLOCKS, len(iterations))
    if n_blocks < 2:
        # One iteration: its last frames validate, for want of anything better.
        split = np.zeros(len(n_iter), dtype=np.int8)
        split[len(n_iter) - max(1, int(fraction * len(n_iter))) :] = VALIDATION
        _log.warning("split: only one iteration; validation frames are not independent")
        return split
    blocks = np.array_split(iterations, n_blocks)
    sizes = np.array([np.isin(n_iter, block).sum() for block in blocks])
    wanted = fraction * len(n_iter)
    chosen = _take_about(sizes, wanted, rng)
    if chosen is None:  # blocks are coarser than the share: the nearest in size
        chosen = [int(np.argmin(np.abs(sizes - wanted)))]
    held_out = np.concatenate([blocks[k] for k in chosen])
    return np.isin(n_iter, held_out).astype(np.int8)
