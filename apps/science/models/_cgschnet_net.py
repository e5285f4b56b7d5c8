"""CGSchNet: continuous-filter convolutions over all pairs of beads."""

import math
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from apps.science.models._network import Network
from apps.science.models._pairs import PairList, PairLists

if TYPE_CHECKING:
    from apps.science.models.cgschnet import Config


class ExpNormalBasis(nn.Module):
    """Gaussians in exp(-alpha r), evenly spread (PhysNet, Unke, Meuwly 2019)."""

    def __init__(self, lower: float, upper: float, n_functions: int) -> None:
        super().__init__()
        start = math.exp(lower - upper)
        self._alpha = 5.0 / (upper - lower)
        self._lower = lower
        self.rbf_means = nn.Parameter(torch.linspace(start, 1.0, n_functions))
        width = (2.0 / n_functions * (1.0 - start)) ** -2
        self.rbf_betas = nn.Parameter(torch.full((n_functions,), width))

    def forward(self, lengths: Tensor) -> Tensor:
        """Return (..., n_functions) for lengths (...)."""
        decay = torch.exp(-self._alpha * (lengths.unsqueeze(-1) - self._lower))
        return torch.exp(-self.rbf_betas * (decay - self.rbf_means).square())


class SmoothCutoff(nn.Module):
    """One inside, zero outside, with two continuous derivatives at either end."""

    def __init__(self, lower: float, upper: float) -> None:
        super().__init__()
        self._lower, self._upper = lower, upper

    def forward(self, lengths: Tensor) -> Tensor:
        """Return values of the shape of ``lengths``."""
        outside = 1.0 - _smoothstep(lengths / self._upper)
        if self._lower == 0.0:
            return outside
        # The inner edge is half an Angstrom wide.
        return outside * _smoothstep((lengths - self._lower) / 0.5)


def _smoothstep(x: Tensor) -> Tensor:
    t = x.clamp(0.0, 1.0)
    return t**3 * (10.0 - 15.0 * t + 6.0 * t * t)


class Interaction(nn.Module):
    """One continuous-filter convolution with a residual update."""

    def __init__(self, n_channels: int, n_features: int) -> None:
        super().__init__()
        self.filter = nn.Sequential(
            nn.Linear(n_features, n_channels),
            nn.SiLU(),
            nn.Linear(n_channels, n_channels),
        )
        self.inward = nn.Linear(n_channels, n_channels, bias=False)
        self.outward = nn.Sequential(
            nn.Linear(n_channels, n_channels),
            nn.SiLU(),
            nn.Linear(n_channels, n_channels),
        )

    def forward(
        self, x: Tensor, features: Tensor, cutoff: Tensor, pairs: PairList
    ) -> Tensor:
        """Return updated beads (R, N, C).

        Parameters
        ----------
        features : (R, n_pairs, n_features); the filter is symmetric, so each pair
            is filtered once
        cutoff : (R, n_pairs, 1)
        """
        weights = self.filter(features) * cutoff
        updated: Tensor = x + self.outward(pairs.sum_messages(weights, self.inward(x)))
        return updated


class CGSchNetNetwork(Network):
    """Sum of bead energies after ``num_layers`` interactions."""

    def __init__(self, config: "Config") -> None:
        super().__init__()
        n_channels = config.embedding_dimension
        lower, upper = config.cutoff_lower_angstrom, config.cutoff_angstrom
        self._sequence_range = config.sequence_range
        self.embedding = nn.Embedding(config.max_embedding, n_channels)
        self.basis = ExpNormalBasis(lower, upper, config.num_rbf)
        self.cutoff = SmoothCutoff(lower, upper)
        n_features = config.num_rbf + (1 if config.sequence_range else 0)
        self.interactions = nn.ModuleList(
            Interaction(n_channels, n_features) for _ in range(config.num_layers)
        )
        self.output = nn.Sequential(
            nn.Linear(n_channels, n_channels // 2 or 1),
            nn.SiLU(),
            # No bias: it would only shift the energy, and forces cannot see it.
            nn.Linear(n_channels // 2 or 1, 1, bias=False),
        )
        self._pair_lists = PairLists()
        self.apply(_initialise)

    def energy(self, positions: Tensor, embeddings: Tensor) -> Tensor:
        """Return energies (R,), kcal/mol (see ``Network``)."""
        n_replicas, n_beads, _ = positions.shape
        pairs = self._pair_lists.get(n_beads, positions.device)
        lengths = pairs.measure_lengths(positions)
        features = self.basis(lengths)
        if self._sequence_range:
            apart = (pairs.second - pairs.first - 1).to(features.dtype)
            near = (1.0 - apart / self._sequence_range).clamp_min(0.0)
            along = near.expand(n_replicas, -1).unsqueeze(-1)
            features = torch.cat([features, along], dim=-1)
        cutoff = self.cutoff(lengths).unsqueeze(-1)
        x = self.embedding(embeddings).expand(n_replicas, -1, -1)
        for interaction in self.interactions:
            x = interaction(x, features, cutoff, pairs)
        energy: Tensor = self.output(x).sum(dim=(1, 2))
        return energy


def _initialise(module: nn.Module) -> None:
    """Xavier weights and zero biases: forces of order one from the start."""
    if isinstance(module, nn.Linear):
        nn.init.xavier_uniform_(module.weight)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
