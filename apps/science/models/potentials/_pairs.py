"""Each pair of beads once, and sums over pairs that read it from both of its ends."""

from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor

N_BEADS_ALL_PAIRS: Final = 32
"""Up to this size every pair is kept: beyond the cutoff its message is zero."""

_PART_BYTES: Final = 1 << 19
"""A part's arrays stay in a core's cache."""
_PART_BYTES_GPU: Final = 1 << 28


@dataclass(frozen=True)
class PairList:
    """All pairs of ``n`` beads.

    Attributes
    ----------
    first, second : (n_pairs,), beads with first < second
    pair_of, neighbour : (n * (n - 1),), the pair and the far bead of every edge,
        edges ordered by their near bead
    sign : (n * (n - 1), 1), one where the near bead is the pair's first, else minus one
    """

    first: Tensor
    second: Tensor
    pair_of: Tensor
    neighbour: Tensor
    sign: Tensor

    def measure(self, positions: Tensor) -> tuple[Tensor, Tensor]:
        """Return vectors (R, n_pairs, 3) from first to second, and their lengths."""
        ends = positions.index_select(1, self.second)
        vectors = ends - positions.index_select(1, self.first)
        return vectors, torch.linalg.vector_norm(vectors, dim=-1)

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
            near, far = apart.nonzero().T
            sign = torch.where(near < far, 1.0, -1.0).unsqueeze(-1)
            self._made[key] = PairList(first, second, number[apart], far, sign)
        return self._made[key]


class Part:
    """Some of the pairs of a batch, worked on together.

    Attributes
    ----------
    pairs : which of the batch's pairs these are
    """

    pairs: slice

    @abstractmethod
    def add_messages(self, out: Tensor, weights: Tensor, beads: Tensor) -> None:
        """Add sum_j W_ij * x_j to ``out``.

        Parameters
        ----------
        out, beads : (R * n_beads, C), of the whole batch
        weights : (n_pairs of this part, C)
        """

    @abstractmethod
    def multiply(self, one: Tensor, two: Tensor) -> Tensor:
        """Return a_i * b_j + a_j * b_i, (n_pairs of this part, C)."""


class _WholeReplicas(Part):
    """Every pair of some replicas; sums have a fixed order on any device."""

    def __init__(self, listed: PairList, n_beads: int, first: int, last: int) -> None:
        n_pairs = len(listed.first)
        self.pairs = slice(first * n_pairs, last * n_pairs)
        self._rows = slice(first * n_beads, last * n_beads)
        self._shape = (last - first, n_beads)
        self._listed = listed

    def add_messages(self, out: Tensor, weights: Tensor, beads: Tensor) -> None:
        replicas, n_beads = self._shape
        n_channels = beads.shape[1]
        sums = self._listed.sum_messages(
            weights.view(replicas, -1, n_channels),
            beads[self._rows].view(replicas, n_beads, n_channels),
        )
        out[self._rows].view_as(sums).add_(sums)

    def multiply(self, one: Tensor, two: Tensor) -> Tensor:
        n_channels = one.shape[1]
        a = one[self._rows].view(*self._shape, n_channels)
        b = two[self._rows].view(*self._shape, n_channels)
        first, second = self._listed.first, self._listed.second
        product = a.index_select(1, first).mul_(b.index_select(1, second))
        product.addcmul_(a.index_select(1, second), b.index_select(1, first))
        return product.view(-1, n_channels)


class _NearPairs(Part):
    """Pairs inside the cutoff, from anywhere in the batch."""

    def __init__(self, first: Tensor, second: Tensor, pairs: slice) -> None:
        self.pairs = pairs
        self._first, self._second = first[pairs], second[pairs]

    def add_messages(self, out: Tensor, weights: Tensor, beads: Tensor) -> None:
        ahead = beads.index_select(0, self._second).mul_(weights)
        back = beads.index_select(0, self._first).mul_(weights)
        out.index_add_(0, self._first, ahead).index_add_(0, self._second, back)

    def multiply(self, one: Tensor, two: Tensor) -> Tensor:
        first, second = self._first, self._second
        product = one.index_select(0, first).mul_(two.index_select(0, second))
        return product.addcmul_(one.index_select(0, second), two.index_select(0, first))


@dataclass(frozen=True)
class PairSet:
    """The pairs of a batch, flat, with what is measured on them.

    Attributes
    ----------
    first, second : (n_pairs,), rows of the flat beads (R * n_beads)
    vectors : (n_pairs, 3), Angstrom, from first to second
    lengths : (n_pairs,), Angstrom
    apart : (n_pairs,), residues between the ends along the chain
    """

    first: Tensor
    second: Tensor
    vectors: Tensor
    lengths: Tensor
    apart: Tensor
    listed: PairList | None
    n_replicas: int
    n_beads: int

    def parts(self, n_channels: int) -> Iterator[Part]:
        """Yield all pairs in parts small enough for the cache."""
        room = _PART_BYTES_GPU if self.lengths.is_cuda else _PART_BYTES
        size = max(1, room // (4 * n_channels))
        if self.listed is None:
            for start in range(0, len(self.lengths), size):
                pairs = slice(start, min(start + size, len(self.lengths)))
                yield _NearPairs(self.first, self.second, pairs)
            return
        step = max(1, size // max(1, len(self.listed.first)))
        for start in range(0, self.n_replicas, step):
            last = min(start + step, self.n_replicas)
            yield _WholeReplicas(self.listed, self.n_beads, start, last)

    def pull(self, slopes: Tensor) -> Tensor:
        """Return forces (R, n_beads, 3) of dE/dr, (n_pairs,)."""
        along = (slopes / self.lengths.clamp_min(1e-12)).unsqueeze(-1) * self.vectors
        if self.listed is not None:
            pairs = along.view(self.n_replicas, len(self.listed.first), 3)
            edges = self.listed.sign * pairs.index_select(1, self.listed.pair_of)
            shape = (self.n_replicas, self.n_beads, self.n_beads - 1, 3)
            return edges.view(shape).sum(dim=2)
        flat = along.new_zeros(self.n_replicas * self.n_beads, 3)
        flat = flat.index_add(0, self.first, along).index_add(0, self.second, -along)
        return flat.view(self.n_replicas, self.n_beads, 3)


def find_pairs(
    positions: Tensor, sequence: Tensor | None, cutoff: float, lists: PairLists
) -> PairSet:
    """Return the pairs of replicas (R, n_beads, 3).

    Small molecules keep every pair. Larger ones keep those inside the cutoff; the
    list grows as needed, so it cannot overflow.
    """
    n_replicas, n_beads, _ = positions.shape
    listed = lists.get(n_beads, positions.device)
    vectors, lengths = (t.flatten(0, 1) for t in listed.measure(positions))
    along = sequence
    if along is None:
        along = torch.arange(n_beads, device=positions.device)
    apart = (along[listed.second] - along[listed.first]).abs().repeat(n_replicas)
    offset = torch.arange(n_replicas, device=positions.device) * n_beads
    first = (listed.first + offset.unsqueeze(-1)).flatten()
    second = (listed.second + offset.unsqueeze(-1)).flatten()
    if n_beads <= N_BEADS_ALL_PAIRS or positions.is_cuda:
        return PairSet(
            first, second, vectors, lengths, apart, listed, n_replicas, n_beads
        )
    near = (lengths < cutoff).nonzero().squeeze(1)
    return PairSet(
        first[near], second[near], vectors[near], lengths[near], apart[near], None,
        n_replicas, n_beads,
    )  # fmt: skip
