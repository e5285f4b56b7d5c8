"""Where each bead stands along its chain, as one integer that models can subtract."""

from collections.abc import Sequence
from typing import Final

_CHAIN_STEP: Final = 100_000
"""Far more than any residue number, so that chains are never neighbours."""


def number_along_chains(
    resids: Sequence[int], bonds: Sequence[tuple[int, int]]
) -> list[int]:
    """Return residue numbers with a wide step between pieces that no bond joins.

    Parameters
    ----------
    resids : residue number of each bead
    bonds : pairs of beads; they join the beads of a chain
    """
    piece = list(range(len(resids)))

    def root(bead: int) -> int:
        while piece[bead] != bead:
            piece[bead] = piece[piece[bead]]
            bead = piece[bead]
        return bead

    for one, two in bonds:
        low, high = sorted((root(int(one)), root(int(two))))
        piece[high] = low
    roots = [root(bead) for bead in range(len(resids))]
    order = {first: number for number, first in enumerate(sorted(set(roots)))}
    return [
        int(resid) + _CHAIN_STEP * order[first]
        for resid, first in zip(resids, roots, strict=True)
    ]
