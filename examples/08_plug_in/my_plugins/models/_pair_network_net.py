"""The network of pair_network.py; no kind, since its name begins with _."""

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from apps.science.models.potentials.network import Network

if TYPE_CHECKING:
    from .pair_network import Config


class PairNetwork(Network):
    """E = sum over pairs of u(distance, kinds), which is zero from the cutoff on."""

    def __init__(self, config: "Config") -> None:
        super().__init__()
        self.cutoff = config.cutoff_angstrom
        self.register_buffer("centres", torch.linspace(0, self.cutoff, config.n_basis))
        self.kinds = nn.Embedding(config.max_embedding, config.width)
        self.hidden = nn.Linear(config.n_basis, config.width)
        self.out = nn.Linear(config.width, 1, bias=False)

    def energy(
        self, positions: Tensor, embeddings: Tensor, sequence: Tensor | None = None
    ) -> Tensor:
        """Return energies (n_replicas,), kcal/mol."""
        n_beads = positions.shape[1]
        i, j = torch.triu_indices(n_beads, n_beads, 1, device=positions.device)
        distance = (positions[:, i] - positions[:, j]).norm(dim=-1)
        spread = self.cutoff / len(self.centres)
        basis = torch.exp(-(((distance[..., None] - self.centres) / spread) ** 2))
        of_kinds = self.kinds(embeddings[i]) * self.kinds(embeddings[j])
        pair = self.out(torch.tanh(self.hidden(basis)) * of_kinds)[..., 0]
        near = 0.5 * (torch.cos(torch.pi * (distance / self.cutoff).clamp(max=1)) + 1)
        return (pair * near).sum(dim=1)
