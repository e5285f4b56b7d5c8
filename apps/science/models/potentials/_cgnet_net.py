"""The network of ``cgnet``."""

from itertools import pairwise
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from apps.science.errors import ShapeMismatchError
from apps.science.models.potentials.network import Network

if TYPE_CHECKING:
    from apps.science.models.potentials.cgnet import Config

_MIDDLE_ANGSTROM, _SPREAD_ANGSTROM = 4.0, 2.0
"""Bring distances of a short chain near zero and one."""


class CGNetNetwork(Network):
    """Energy of all pair distances and the sines and cosines of all dihedrals."""

    _pairs: Tensor

    def __init__(self, config: "Config") -> None:
        super().__init__()
        n = self._n_beads = config.n_beads
        pairs = torch.triu_indices(n, n, offset=1)
        self.register_buffer("_pairs", pairs, persistent=False)
        sizes = [pairs.shape[1] + 2 * (n - 3), *[config.width] * config.num_layers]
        self.layers: nn.Module
        if config.n_members > 1:
            self.layers = _Members(sizes, config.n_members)
            return
        layers: list[nn.Module] = []
        for before, after in pairwise(sizes):
            layers += [nn.Linear(before, after), nn.Tanh()]
        # no bias at the end: it would only shift the energy
        self.layers = nn.Sequential(*layers, nn.Linear(sizes[-1], 1, bias=False))

    def energy(
        self, positions: Tensor, embeddings: Tensor, sequence: Tensor | None = None
    ) -> Tensor:
        """Return energies (R,), kcal/mol; the beads' types do not matter."""
        if positions.shape[1] != self._n_beads:
            raise ShapeMismatchError(
                f"The cgnet model is for {self._n_beads} beads, and there are "
                f"{positions.shape[1]}. Set model.n_beads."
            )
        first, second = self._pairs
        lengths = (positions[:, first] - positions[:, second]).norm(dim=-1)
        scaled = (lengths - _MIDDLE_ANGSTROM) / _SPREAD_ANGSTROM
        features = torch.cat([scaled, *_dihedrals(positions)], dim=1)
        return self.layers(features).squeeze(-1)  # type: ignore[no-any-return]


class _Members(nn.Module):
    """The mean of several networks of one shape, all computed together."""

    def __init__(self, sizes: list[int], n_members: int) -> None:
        super().__init__()
        # as nn.Linear begins; biases are vectors, since those are not decayed
        self.weights = nn.ParameterList(
            torch.empty(n_members, before, after).uniform_(-1, 1) / before**0.5
            for before, after in pairwise([*sizes, 1])
        )
        # no bias at the end: it would only shift the energy
        self.biases = nn.ParameterList(
            torch.empty(n_members * after).uniform_(-1, 1) / before**0.5
            for before, after in pairwise(sizes)
        )

    def forward(self, features: Tensor) -> Tensor:
        """Return (R, 1) for (R, n_features).

        In training each frame is learnt by one member, so that members stay apart and
        their errors cancel in the mean; batches are shuffled, so all see all frames.
        """
        n_members, n = len(self.weights[0]), len(features)
        if not self.training:
            shared = features.expand(n_members, *features.shape)
            return self._compute(shared).mean(dim=0)
        padded = nn.functional.pad(features, (0, 0, 0, -n % n_members))
        dealt = padded.view(n_members, -1, features.shape[1])
        return self._compute(dealt).reshape(-1, 1)[:n]

    def _compute(self, x: Tensor) -> Tensor:
        """Return (n_members, R, 1) for (n_members, R, n_features)."""
        for weight, bias in zip(self.weights, self.biases, strict=False):
            x = torch.baddbmm(bias.view(len(weight), 1, -1), x, weight).tanh()
        return torch.bmm(x, self.weights[-1])


def _dihedrals(positions: Tensor) -> tuple[Tensor, Tensor]:
    """Return cosines and sines (R, n_beads - 3) along the chain; IUPAC's sign."""
    steps = positions[:, 1:] - positions[:, :-1]
    one, two, three = steps[:, :-2], steps[:, 1:-1], steps[:, 2:]
    left = torch.linalg.cross(one, two)
    right = torch.linalg.cross(two, three)
    axis = two / two.norm(dim=-1, keepdim=True)
    x = (left * right).sum(-1)
    y = (torch.linalg.cross(left, right) * axis).sum(-1)
    # where three beads lie on a line there is no dihedral, and no gradient of one
    size = (x * x + y * y + 1e-8).sqrt()
    return x / size, y / size
