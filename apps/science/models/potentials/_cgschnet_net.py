"""CGSchNet: continuous-filter convolutions over pairs of beads, forces written out."""

import math
from typing import TYPE_CHECKING, cast

import torch
from torch import Tensor, nn

from apps.science.models.potentials._convolution import (
    Edges,
    convolve,
    convolve_back,
    silu_and_slope,
)
from apps.science.models.potentials._pairs import PairLists, PairSet, find_pairs
from apps.science.models.potentials._spline import Knots, Taps
from apps.science.models.potentials.network import Network

if TYPE_CHECKING:
    from apps.science.models.potentials.cgschnet import Config


_UNSEEN_ANGSTROM = 1e6
"""The shortest distance, before any was seen; the longest is zero."""


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


def _ramp(x: Tensor) -> Tensor:
    """Return x above zero and zero below, rounded over a few hundredths."""
    return nn.functional.softplus(x, beta=40.0)


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


class CGSchNetNetwork(Network):
    """Sum of bead energies after ``num_layers`` interactions.

    With ``filter_spacing_angstrom`` the filters are splines through a table, which
    the filter networks fill once per step; without, filters run on every pair.
    """

    def __init__(self, config: "Config") -> None:
        super().__init__()
        n_channels = config.embedding_dimension
        lower, upper = config.cutoff_lower_angstrom, config.cutoff_angstrom
        self._upper = upper
        self._sequence_range = config.sequence_range
        self._by_residue = config.sequence_by == "residue"
        self._knots = None
        if config.filter_spacing_angstrom:
            self._knots = Knots(upper, config.filter_spacing_angstrom)
        self.embedding = nn.Embedding(config.max_embedding, n_channels)
        self.basis = ExpNormalBasis(lower, upper, config.num_rbf)
        self.cutoff = SmoothCutoff(
            lower, upper if self._knots is None else self._knots.last_place
        )
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
        self.seen_angstrom: Tensor | None
        self.register_buffer("seen_angstrom", None)
        if config.hold_filters:
            nothing = torch.tensor([_UNSEEN_ANGSTROM, 0.0])
            self.seen_angstrom = nothing.repeat(self._count_kinds(), 1)
        self._layers = [cast(Interaction, layer) for layer in self.interactions]
        self._pair_lists = PairLists()
        self._mixed = False
        self._kept: tuple[object, list[Tensor]] = (None, [])
        self.apply(_initialise)

    def energy(
        self, positions: Tensor, embeddings: Tensor, sequence: Tensor | None = None
    ) -> Tensor:
        """Return energies (R,), kcal/mol (see ``Network``)."""
        pairs = self._find(positions, sequence)
        filters = self._filter_pairs(pairs)
        x = self.embedding(embeddings).repeat(len(positions), 1)
        for interaction, weights in zip(self._layers, filters, strict=True):
            y = interaction.inward(x)
            message = torch.zeros_like(y)
            for near, far in ((pairs.first, pairs.second), (pairs.second, pairs.first)):
                message = message.index_add(0, near, weights * y.index_select(0, far))
            x = x + interaction.outward(message)
        energy: Tensor = self.output(x).view(len(positions), -1).sum(dim=1)
        return energy

    def energy_and_forces(
        self, positions: Tensor, embeddings: Tensor, sequence: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Return energies (R,) and forces (R, n_beads, 3) (see ``Network``)."""
        if self._knots is None:
            return super().energy_and_forces(positions, embeddings, sequence)
        positions = positions.detach()
        pairs = self._find(positions, sequence)
        taps, tables = self._fill_tables(pairs)
        edges = Edges(pairs, taps)
        n_replicas = len(positions)
        x = self.embedding(embeddings)
        y = self._layers[0].inward(x).repeat(n_replicas, 1)
        x = x.repeat(n_replicas, 1)
        passed = []
        for i, (layer, table) in enumerate(zip(self._layers, tables, strict=True)):
            if i:
                y = layer.inward(x)
            hidden = layer.outward[0](convolve(table, y, edges))
            value, slope = silu_and_slope(hidden)
            x = x + layer.outward[2](value)
            passed.append((layer, table, y, slope))
        first, last = _linear(self.output, 0), _linear(self.output, 2).weight
        value, slope = silu_and_slope(first(x))
        energy = (value @ last.T).view(n_replicas, -1).sum(dim=1)
        back = (slope * last) @ first.weight
        slopes = torch.zeros_like(pairs.lengths)
        for i, (layer, table, y, slope) in reversed(list(enumerate(passed))):
            pull = (back @ _linear(layer.outward, 2).weight) * slope
            pull = pull @ _linear(layer.outward, 0).weight
            along, to_beads = convolve_back(table, y, pull, edges, to_beads=i > 0)
            slopes = slopes + along
            if i:
                back = back + to_beads @ layer.inward.weight
        return energy, pairs.pull(slopes)

    def see(self, positions: Tensor, sequence: Tensor | None = None) -> None:
        """Note the nearest and farthest pair of every kind (see ``Network``)."""
        if self.seen_angstrom is None:
            return
        pairs = self._find(positions.detach(), sequence)
        kinds = self._kinds(pairs.apart)
        lengths = pairs.lengths.to(self.seen_angstrom.dtype)
        self.seen_angstrom[:, 0].scatter_reduce_(0, kinds, lengths, "amin")
        self.seen_angstrom[:, 1].scatter_reduce_(0, kinds, lengths, "amax")

    def use_mixed_precision(self) -> None:
        """Run filter networks in bfloat16 while training (see ``Network``)."""
        if self._knots is None:
            self._mixed = True
            return
        # Filters on knots take a small part of the time, and rounding of neighbouring
        # knots would make forces rough.
        super().use_mixed_precision()

    def _find(self, positions: Tensor, sequence: Tensor | None) -> PairSet:
        along = sequence if self._by_residue else None
        return find_pairs(positions, along, self._upper, self._pair_lists)

    def _count_kinds(self) -> int:
        """Return how many filters there are: one per separation along the chain."""
        return self._sequence_range + 2 if self._sequence_range else 1

    def _kinds(self, apart: Tensor) -> Tensor:
        return apart.clamp_max(self._count_kinds() - 1)

    def _describe(self, lengths: Tensor, kinds: Tensor) -> Tensor:
        """Return what filters are functions of, (n, n_features)."""
        features: Tensor = self.basis(lengths)
        if not self._sequence_range:
            return features
        near = (1.0 - (kinds - 1) / self._sequence_range).clamp_min(0.0)
        return torch.cat([features, near.to(features.dtype).unsqueeze(-1)], dim=-1)

    def _hold(self, lengths: Tensor, kinds: Tensor) -> tuple[Tensor, Tensor]:
        """Return distances that stop falling, and that also stop rising, at the seen.

        Where a network has seen no pair its pull on one could only be made up, and
        wells of hundreds of kcal/mol were: beads fell into each other.
        """
        if self.seen_angstrom is None:
            return lengths, lengths
        low, high = self.seen_angstrom[kinds].to(lengths.dtype).unbind(-1)
        unseen = low > high
        nearest = torch.where(unseen, lengths, low + _ramp(lengths - low))
        inside = torch.where(unseen, nearest, nearest - _ramp(nearest - high))
        return nearest, inside

    def _evaluate(self, lengths: Tensor, kinds: Tensor) -> list[Tensor]:
        """Return every layer's filter at these distances, (n, C) each."""
        nearest, inside = self._hold(lengths, kinds)
        features = self._describe(inside, kinds)
        cutoff = self.cutoff(nearest).unsqueeze(-1)
        mixed = self._mixed and self.training
        with torch.autocast(lengths.device.type, torch.bfloat16, enabled=mixed):
            filters = [layer.filter(features) for layer in self._layers]
        return [values.to(cutoff.dtype) * cutoff for values in filters]

    def _filter_pairs(self, pairs: PairSet) -> list[Tensor]:
        kinds = self._kinds(pairs.apart)
        if self._knots is None:
            return self._evaluate(pairs.lengths, kinds)
        taps, tables = self._fill_tables(pairs)
        weights = taps.value.unsqueeze(-1)
        return [(table[taps.rows] * weights).sum(dim=1) for table in tables]

    def _fill_tables(self, pairs: PairSet) -> tuple[Taps, list[Tensor]]:
        """Return the taps of pairs and every layer's table of filter values."""
        assert self._knots is not None
        knots, device = self._knots, pairs.lengths.device
        taps = knots.find_taps(pairs.lengths, self._kinds(pairs.apart))
        n_rows = knots.n_rows * self._count_kinds()
        rows = torch.arange(n_rows, device=device)
        if torch.is_grad_enabled() and device.type == "cpu":
            # Filling only the rows that are read pays where there are few pairs.
            read = torch.zeros(n_rows, dtype=torch.bool)
            read[taps.rows.flatten()] = True
            rows = read.nonzero().squeeze(1)
            place = torch.cumsum(read, dim=0) - 1
            taps = Taps(place[taps.rows], taps.value, taps.slope)
        elif not torch.is_grad_enabled():
            return taps, self._keep_tables(rows)
        return taps, self._evaluate_rows(rows)

    def _evaluate_rows(self, rows: Tensor) -> list[Tensor]:
        assert self._knots is not None
        places = self._knots.places(rows).to(self.basis.rbf_means.dtype)
        return self._evaluate(places, rows // self._knots.n_rows)

    def _keep_tables(self, rows: Tensor) -> list[Tensor]:
        """Return full tables, filled anew only where a parameter has changed."""
        filters = [p for layer in self._layers for p in layer.filter.parameters()]
        known: list[Tensor] = [*self.basis.parameters(), *filters]
        if self.seen_angstrom is not None:
            known.append(self.seen_angstrom)
        state = tuple((p.data_ptr(), p._version) for p in known)
        if self._kept[0] != state:
            self._kept = (state, self._evaluate_rows(rows))
        return self._kept[1]


def _linear(layers: nn.Sequential, index: int) -> nn.Linear:
    return cast(nn.Linear, layers[index])


def _initialise(module: nn.Module) -> None:
    """Xavier weights and zero biases: forces of order one from the start."""
    if isinstance(module, nn.Linear):
        nn.init.xavier_uniform_(module.weight)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
