"""Each pair of beads once, and the edges that read it from both of its ends."""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class PairList:
    """All pairs of ``n`` beads.

    Attributes
    ----------
    first, second : (n_pairs,), beads with first < second
    pair_of, neighbour : (n * (n - 1),), the pair and the far bead of every edge,
        edges ordered by their near bead
    """

    first: Tensor
    second: Tensor
    pair_of: Tensor
    neighbour: Tensor

    def measure_lengths(self, positions: Tensor) -> Tensor:
        """Return distances (R, n_pairs) of positions (R, n, 3)."""
        ends = positions.index_select(1, self.second)
        vectors = ends - positions.index_select(1, self.first)
        lengths: Tensor = torch.linalg.vector_norm(vectors, dim=-1)
        return lengths

    def sum_messages(self, weights: Tensor, beads: Tensor) -> Tensor:
        """Return sum_j W_ij * x_j, (R, n, C), of W (R, n_pairs, C) and x (R, n, C)."""
        n_replicas, n_beads, n_channels = beads.shape
        message = weights.index_select(1, self.pair_of) * beads.index_select(
            1, self.neighbour
        )
        return message.view(n_replicas, n_beads, n_beads - 1, n_channels).sum(dim=2)


class PairLists:
    """Pair lists by size and device, each made once."""

    def __init__(self) -> None:
        self._made: dict[tuple[int, torch.device], PairList] = {}

    def get(self, n_beads: int, device: torch.device) -> PairList:
        """Return the pair list of ``n_beads`` beads."""
        key = (n_beads, device)
        if key not in self._made:
            first, second = torch.triu_indices(n_beads, n_beads, 1, device=device)
            number = torch.zeros(n_beads, n_beads, dtype=torch.long, device=device)
            number[first, second] = torch.arange(len(first), device=device)
            number = number + number.T
            apart = ~torch.eye(n_beads, dtype=torch.bool, device=device)
            self._made[key] = PairList(
                first, second, number[apart], apart.nonzero()[:, 1]
            )
        return self._made[key]
