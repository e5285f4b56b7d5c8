"""A continuous-filter convolution whose filters are splines, and its derivatives.

Forces are written out and not left to autograd, so that training differentiates once
and dynamics never. Nothing of the size (n_pairs, n_channels) outlives a call: filters
are interpolated again where they are needed again, a cache-sized part at a time.
"""

from typing import Any, NamedTuple

import torch
from torch import Tensor

from apps.science.models.potentials._pairs import PairSet
from apps.science.models.potentials._spline import Taps


class Edges(NamedTuple):
    """The pairs of a batch and what they read from a table of filters."""

    pairs: PairSet
    taps: Taps


def convolve(table: Tensor, beads: Tensor, edges: Edges) -> Tensor:
    """Return m_i = sum_j W(r_ij) * y_j, (R * n_beads, C).

    Parameters
    ----------
    table : (n_rows, C), spline coefficients of W
    beads : (R * n_beads, C), y
    """
    out: Tensor = _Convolve.apply(table, beads, edges)  # type: ignore[no-untyped-call]
    return out


def convolve_back(
    table: Tensor, beads: Tensor, pull: Tensor, edges: Edges, to_beads: bool
) -> tuple[Tensor, Tensor]:
    """Return dE/dr (n_pairs,) and dE/dy (R * n_beads, C) of one convolution.

    Parameters
    ----------
    pull : (R * n_beads, C), dE/dm
    to_beads : False leaves dE/dy out (zero): the first layer's y knows no positions
    """
    slopes, out = _ConvolveBack.apply(  # type: ignore[no-untyped-call]
        table, beads, pull, edges, to_beads
    )
    return slopes, out


class _Convolve(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, table: Tensor, beads: Tensor, edges: Edges) -> Tensor:
        ctx.save_for_backward(table, beads)
        ctx.edges = edges
        return _sum_messages(table, beads, edges)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Any:
        table, beads = ctx.saved_tensors
        edges, grad = ctx.edges, grads[0].contiguous()
        to_table, to_beads = torch.zeros_like(table), torch.zeros_like(beads)
        for part in edges.pairs.parts(beads.shape[1]):
            weights = edges.taps.mix(table, part.pairs)
            part.add_messages(to_beads, weights, grad)
            edges.taps.spread(to_table, part.pairs, part.multiply(grad, beads))
        return to_table, to_beads, None


class _ConvolveBack(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, table: Tensor, beads: Tensor, pull: Tensor, edges: Edges,
        to_beads: bool,
    ) -> tuple[Tensor, Tensor]:  # fmt: skip
        ctx.save_for_backward(table, beads, pull)
        ctx.edges, ctx.to_beads = edges, to_beads
        slopes = beads.new_empty(len(edges.pairs.lengths))
        out = torch.zeros_like(beads) if to_beads else beads.new_zeros(1)
        for part in edges.pairs.parts(beads.shape[1]):
            if to_beads:
                weights = edges.taps.mix(table, part.pairs)
                part.add_messages(out, weights, pull)
            product = part.multiply(pull, beads)
            product.mul_(edges.taps.mix_slopes(table, part.pairs))
            torch.sum(product, dim=1, out=slopes[part.pairs])
        return slopes, out

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Any:
        table, beads, pull = ctx.saved_tensors
        edges, taps = ctx.edges, ctx.edges.taps
        to_slopes, to_out = (grad.contiguous() for grad in grads)
        to_table, to_beads, to_pull = (
            torch.zeros_like(t) for t in (table, beads, pull)
        )
        for part in edges.pairs.parts(beads.shape[1]):
            values = None
            if ctx.to_beads:
                weights = taps.mix(table, part.pairs)
                part.add_messages(to_pull, weights, to_out)
                values = part.multiply(to_out, pull)
            along = to_slopes[part.pairs].unsqueeze(-1)
            weights = taps.mix_slopes(table, part.pairs).mul_(along)
            part.add_messages(to_pull, weights, beads)
            part.add_messages(to_beads, weights, pull)
            slopes = part.multiply(pull, beads).mul_(along)
            taps.spread(to_table, part.pairs, values, slopes)
        return to_table, to_beads, to_pull, None, None


def _sum_messages(table: Tensor, beads: Tensor, edges: Edges) -> Tensor:
    out = torch.zeros_like(beads)
    for part in edges.pairs.parts(beads.shape[1]):
        part.add_messages(out, edges.taps.mix(table, part.pairs), beads)
    return out


class _SiluBoth(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> tuple[Tensor, Tensor]:
        gate = torch.sigmoid(x)
        rest = x * (1.0 - gate)
        value, slope = x * gate, gate * (1.0 + rest)
        ctx.save_for_backward(gate, rest, slope)
        return value, slope

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Any:
        gate, rest, slope = ctx.saved_tensors
        to_value, to_slope = grads
        # silu'' = g (1 - g) (2 + x (1 - 2 g)), with x (1 - g) = rest
        bend = gate * (1.0 - gate)
        bend = bend * 2.0 + (slope - gate) * (1.0 - gate) - gate * gate * rest
        return to_value * slope + to_slope * bend


def silu_and_slope(x: Tensor) -> tuple[Tensor, Tensor]:
    """Return SiLU and its derivative, of the shape of ``x``."""
    value, slope = _SiluBoth.apply(x)  # type: ignore[no-untyped-call]
    return value, slope
