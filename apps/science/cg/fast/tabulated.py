"""A force field with tabulated filters in torch: for GPUs, and to check the kernels.

Shapes are fixed by the number of replicas, nothing waits for the device and no
gradient is recorded, so a CUDA graph can hold a whole step.
"""

from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn.functional import silu

from apps.science.cg.fast.network_arrays import TANH, NetworkArrays, list_network

if TYPE_CHECKING:
    from collections.abc import Sequence

    from apps.science.cg.force_field import ForceField

N_VALUES_PER_PART = {"cpu": 1 << 18, "cuda": 1 << 26}
"""Filter values held at once: a cache's worth, or what a GPU has room for."""


class TabulatedForceField:
    """The same function as ``dynamics.FastForceField``, on any torch device."""

    graph_safe = True
    """A CUDA graph may record ``compute``."""

    def __init__(self, force_field: "ForceField", device: str) -> None:
        self.n_beads = force_field.n_beads
        self.masses_amu: Sequence[float] = force_field.masses_amu
        self.bonds: Sequence[tuple[int, int]] = force_field.bonds
        self.prior = force_field.prior.to(device)
        assert force_field.network is not None
        arrays = list_network(
            force_field.network, force_field.embeddings, force_field.sequence
        )
        self._arrays = arrays
        self._on_device = {
            name: torch.from_numpy(value).to(device)
            for name, value in arrays._asdict().items()
            if name not in _PLAIN
        }
        pairs = self._on_device["pairs"].long()
        self._first, self._second, self._rows = pairs.unbind(1)
        self._edges, self._signs = _list_edges(arrays, device)
        self._far = torch.where(
            self._signs[:, 0] > 0, self._second[self._edges], self._first[self._edges]
        )

    def compute(self, positions: Tensor) -> tuple[Tensor, Tensor]:
        """Return energies (R,) and forces (R, N, 3); see ``ForceField.compute``."""
        with torch.no_grad():
            energy, forces = self.prior.energy_and_forces(positions)
            per_part = N_VALUES_PER_PART["cuda" if positions.is_cuda else "cpu"]
            n_values = max(1, 4 * len(self._first) * self._arrays.tables.shape[-1])
            size = max(1, per_part // n_values)
            parts = [self._compute_part(p) for p in torch.split(positions, size)]
            energy = energy + torch.cat([e for e, _ in parts])
            return energy, forces + torch.cat([f for _, f in parts])

    def _compute_part(self, positions: Tensor) -> tuple[Tensor, Tensor]:
        a, w = self._arrays, self._on_device
        vectors = positions[:, self._second] - positions[:, self._first]
        lengths = vectors.norm(dim=-1).clamp_min(1e-12)
        place = (lengths * (a.n_intervals / a.cutoff)).clamp_max(a.n_intervals)
        # not a number must not become an address; such replicas are found elsewhere
        interval = place.nan_to_num(0.0).floor().clamp_max(a.n_intervals - 1)
        u = (place - interval).to(torch.float32)
        inside = (lengths < a.cutoff).to(torch.float32)
        rows = self._rows + interval.long()
        value, slope = _powers(u, inside, a.n_intervals / a.cutoff)
        x = w["start"].expand(len(positions), -1, -1)
        passed = []
        for layer in range(len(a.tables)):
            y = x @ w["inward"][layer] if layer else w["first"].expand_as(x)
            filters = _mix(w["tables"][layer], rows, value)
            message = self._sum_messages(filters, y)
            hidden = message @ w["between"][layer] + w["between_bias"][layer]
            hidden, gain = _activate(hidden, a.activation)
            x = x + hidden @ w["outward"][layer] + w["outward_bias"][layer]
            passed.append((y, gain, filters))
        hidden, gain = _activate(x @ w["head"] + w["head_bias"], a.activation)
        energy = (hidden @ w["last"]).sum(dim=1) + a.last_bias * self.n_beads
        back = (gain * w["last"]) @ w["head_t"]
        slopes = torch.zeros_like(u)
        for layer, (y, gain, filters) in reversed(list(enumerate(passed))):
            pull = (back @ w["outward_t"][layer]) * gain @ w["between_t"][layer]
            steep = _mix(w["tables"][layer], rows, slope)
            ahead = pull[:, self._first] * y[:, self._second]
            ahead += pull[:, self._second] * y[:, self._first]
            slopes = slopes + (steep * ahead).sum(dim=-1)
            if layer:
                back = back + self._sum_messages(filters, pull) @ w["inward_t"][layer]
        along = (slopes.to(lengths.dtype) / lengths).unsqueeze(-1) * vectors
        signed = along[:, self._edges] * self._signs
        shape = (len(positions), self.n_beads, self.n_beads - 1, 3)
        return energy.to(positions.dtype), signed.view(shape).sum(dim=2)

    def _sum_messages(self, filters: Tensor, y: Tensor) -> Tensor:
        """Return sum_j W_ij y_j, in the same order on any device."""
        products = filters[:, self._edges] * y[:, self._far]
        n = self.n_beads
        return products.view(len(y), n, n - 1, -1).sum(dim=2)


_PLAIN = {"n_intervals", "cutoff", "last_bias", "activation"}


def _list_edges(arrays: NetworkArrays, device: str) -> tuple[Tensor, Tensor]:
    """Return the pair of each edge, ordered by its near bead, and +1 or -1.

    The sign is plus where the near bead is the pair's first.
    """
    n = len(arrays.start)
    number = torch.zeros(n, n, dtype=torch.long)
    first, second = torch.from_numpy(arrays.pairs[:, :2].T.astype("int64"))
    number[first, second] = torch.arange(len(first))
    number = number + number.T
    near, far = (~torch.eye(n, dtype=torch.bool)).nonzero().T
    signs = torch.where(near < far, 1.0, -1.0).unsqueeze(-1)
    return number[near, far].to(device), signs.to(device)


def _powers(u: Tensor, inside: Tensor, per_angstrom: float) -> tuple[Tensor, Tensor]:
    """Return the weights (..., 4) of a cubic's coefficients, and of its slope's."""
    one, zero = torch.ones_like(u), torch.zeros_like(u)
    value = torch.stack([one, u, u * u, u * u * u], dim=-1)
    slope = torch.stack([zero, one, 2 * u, 3 * u * u], dim=-1) * per_angstrom
    return value * inside.unsqueeze(-1), slope * inside.unsqueeze(-1)


def _mix(table: Tensor, rows: Tensor, weights: Tensor) -> Tensor:
    """Return filters (R, n_pairs, C)."""
    mixed = weights.unsqueeze(-2) @ table[rows]
    return mixed.squeeze(-2)


def _activate(values: Tensor, activation: int) -> tuple[Tensor, Tensor]:
    if activation == TANH:
        values = torch.tanh(values)
        return values, 1.0 - values * values
    sigmoid = torch.sigmoid(values)
    return silu(values), sigmoid * (1.0 + values * (1.0 - sigmoid))
