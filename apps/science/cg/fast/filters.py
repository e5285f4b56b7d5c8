"""Filters of a network as tables of cubic polynomials in the distance.

A SchNet filter is a function of one distance (and, in CGSchNet, of how far apart two
beads are along the chain). Between knots it becomes the cubic with the exact values
and slopes at both (Hermite), so the energy has a continuous gradient. Knots are made
denser until the slopes midway are right.
"""

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor

from apps.science.models.potentials._cgschnet_net import CGSchNetNetwork
from apps.science.models.potentials._pairs import PairList, PairSet
from apps.science.models.potentials._torchmd_net_net import TorchMDNetNetwork
from apps.science.models.potentials.network import Network

SPACINGS_ANGSTROM: Final = (0.1, 0.05, 0.025, 0.0125)
"""Tried in turn."""

TOLERANCE: Final = 1e-5
"""Of slopes midway between knots, over the largest slope: forces err as little."""

FINE_SPACINGS_ANGSTROM: Final = (0.0125, 0.00625)
"""Of models that others trained, whose forces may be large: they have to agree with
torchmd to 1e-4 kcal/mol/Angstrom. Their slopes are compared where they err most."""

_WORST: Final = 0.5 - 12**-0.5
"""Along an interval: where the slope of Hermite's cubic is furthest off; midway it is
better by another power of the spacing."""

NEAREST_ANGSTROM: Final = 1.0
"""No two beads come closer, so accuracy is not asked for there."""


@dataclass(frozen=True)
class FilterTables:
    """Polynomials of every layer, kind of pair and interval.

    Attributes
    ----------
    coefficients : (n_layers, n_kinds * n_intervals, 4, n_channels), float32, of
        1, u, u^2, u^3 with u from 0 to 1 along the interval
    n_intervals : intervals from zero to the cutoff
    cutoff_angstrom : no interaction beyond
    """

    coefficients: Tensor
    n_intervals: int
    cutoff_angstrom: float


def tabulate(network: Network) -> FilterTables:
    """Return the filters of a SchNet-type network."""
    exact = copy.deepcopy(network).double().eval().requires_grad_(False).cpu()
    cutoff = read_cutoff(exact)
    fine = network.fine_tables
    spacings: Sequence[float] = FINE_SPACINGS_ANGSTROM if fine else SPACINGS_ANGSTROM
    place = _WORST if fine else 0.5
    table = None
    for spacing in spacings:
        n_intervals = round(cutoff / spacing)
        table = _interpolate(exact, cutoff, n_intervals)
        if _find_error(exact, table, cutoff, n_intervals, place) < TOLERANCE:
            break
    assert table is not None
    return FilterTables(table.float().contiguous(), n_intervals, cutoff)


def read_cutoff(network: Network) -> float:
    """Return the distance beyond which filters are zero, Angstrom."""
    if isinstance(network, CGSchNetNetwork):
        return float(network._upper)
    assert isinstance(network, TorchMDNetNetwork)
    return float(network.representation.cutoff_upper)


def count_kinds(network: Network) -> int:
    """Return how many filters a layer has."""
    return network._count_kinds() if isinstance(network, CGSchNetNetwork) else 1


def list_kinds(network: Network, sequence: Tensor) -> Tensor:
    """Return which filter each pair of beads has, (n_beads, n_beads)."""
    n = len(sequence)
    if not isinstance(network, CGSchNetNetwork):
        return torch.zeros(n, n, dtype=torch.long)
    along = sequence.cpu() if network._by_residue else torch.arange(n)
    kinds: Tensor = network._kinds((along[:, None] - along[None, :]).abs())
    return kinds


def evaluate(network: Network, lengths: Tensor, kind: int) -> Tensor:
    """Return the filters of all layers at distances (n,), (n_layers, n, C)."""
    if isinstance(network, CGSchNetNetwork):
        apart = torch.full_like(lengths, kind, dtype=torch.long)
        return torch.stack(network._filter_pairs(_as_pairs(lengths, apart)))
    assert isinstance(network, TorchMDNetNetwork)
    basis = network.representation.distance_expansion(lengths)
    return torch.stack([
        block.mlp(basis) * block.conv.cutoff(lengths).unsqueeze(-1)
        for block in network.representation.interactions
    ])  # fmt: skip


def _as_pairs(lengths: Tensor, apart: Tensor) -> PairSet:
    none = torch.zeros(0, dtype=torch.long)
    listed = PairList(none, none, none, none, lengths[:0])
    return PairSet(none, none, lengths[:0], lengths, apart, listed, 1, 0)


def _with_slopes(network: Network, lengths: Tensor, kind: int) -> tuple[Tensor, Tensor]:
    """Return filters and their derivatives, (n_layers, n, C) each."""

    def value(shift: Tensor) -> Tensor:
        return evaluate(network, lengths + shift, kind)

    zero = torch.zeros((), dtype=lengths.dtype)
    values, slopes = torch.func.jvp(value, (zero,), (torch.ones_like(zero),))[:2]
    return values, slopes


def _interpolate(network: Network, cutoff: float, n_intervals: int) -> Tensor:
    knots = torch.linspace(0.0, cutoff, n_intervals + 1, dtype=torch.float64)
    width = cutoff / n_intervals
    parts = []
    for kind in range(count_kinds(network)):
        value, slope = _with_slopes(network, knots, kind)
        # beyond the cutoff all is zero; some cutoffs are not yet, just at it
        value[:, -1] = slope[:, -1] = 0.0
        left, right = value[:, :-1], value[:, 1:]
        m0, m1 = slope[:, :-1] * width, slope[:, 1:] * width
        rise = right - left
        cubic = [left, m0, 3 * rise - 2 * m0 - m1, m0 + m1 - 2 * rise]
        parts.append(torch.stack(cubic, dim=2))
    return torch.cat(parts, dim=1)


def _find_error(
    network: Network, table: Tensor, cutoff: float, n_intervals: int, place: float
) -> float:
    """Return the largest error of a slope, over the rms slope there.

    Parameters
    ----------
    place : along each interval, from 0 to 1
    """
    width = cutoff / n_intervals
    places = (torch.arange(n_intervals, dtype=torch.float64) + place) * width
    seen = places > NEAREST_ANGSTROM
    worst = 0.0
    for kind in range(count_kinds(network)):
        rows = table[:, kind * n_intervals : (kind + 1) * n_intervals][:, seen]
        found = rows[:, :, 1] + 2 * place * rows[:, :, 2]
        found = (found + 3 * place**2 * rows[:, :, 3]) / width
        _, slope = _with_slopes(network, places[seen], kind)
        error = (found - slope).abs().amax() / slope.square().mean().sqrt()
        worst = max(worst, float(error))
    return worst
