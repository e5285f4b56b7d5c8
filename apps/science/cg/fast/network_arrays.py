"""A SchNet-type network of one molecule as plain arrays, for compiled kernels.

TorchMD-Net's graph network and CGSchNet are the same function with other names:
x_0 = embedding; y = x A; m_i = sum_j W(r_ij) y_j; x <- x + act(m B + b) D + d; the
energy is the sum over beads of act(x E + e) . w.
"""

from typing import Any, Final, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from apps.science.arrays import Array, IntArray
from apps.science.cg.fast.filters import FilterTables, list_kinds, tabulate
from apps.science.models.potentials._cgschnet_net import CGSchNetNetwork
from apps.science.models.potentials._torchmd_net_net import TorchMDNetNetwork
from apps.science.models.potentials.network import Network

SILU: Final = 0
TANH: Final = 1


class Layer(NamedTuple):
    """Weights of one interaction, as torch keeps them, (out, in)."""

    inward: Tensor
    between: Tensor
    between_bias: Tensor
    outward: Tensor
    outward_bias: Tensor


class Dense(NamedTuple):
    """All that a network holds beside its filters."""

    embedding: Tensor
    layers: list[Layer]
    head: Tensor
    head_bias: Tensor
    last: Tensor
    last_bias: float
    activation: int


class NetworkArrays(NamedTuple):
    """Shapes with C channels, H hidden ones in the head, N beads, L layers.

    Attributes
    ----------
    tables : (L, n_kinds * n_intervals, 4, C)
    pairs : (n_pairs, 3), int32: two beads and the table's first row for them
    start : (N, C), x_0
    first : (N, C), y of the first layer, which knows no positions
    inward, between, outward : (L, C, C), to multiply from the right
    inward_t, between_t, outward_t : the same transposed, for the way back
    """

    tables: Array
    n_intervals: int
    cutoff: float
    pairs: IntArray
    start: Array
    first: Array
    inward: Array
    inward_t: Array
    between: Array
    between_t: Array
    between_bias: Array
    outward: Array
    outward_t: Array
    outward_bias: Array
    head: Array
    head_t: Array
    head_bias: Array
    last: Array
    last_bias: float
    activation: int


def can_tabulate(network: object) -> bool:
    """Return whether the network's filters depend on distance alone."""
    if isinstance(network, CGSchNetNetwork):
        return True
    if isinstance(network, TorchMDNetNetwork) and network.has_plain_filters:
        return _activation(network.output.output_network) is not None
    return False


def read_dense(network: Network) -> Dense:
    """Return the parts of a network beside its filters."""
    if isinstance(network, CGSchNetNetwork):
        return _read_cgschnet(network)
    assert isinstance(network, TorchMDNetNetwork)
    return _read_graph(network)


def list_network(
    network: Network, embeddings: Tensor, sequence: Tensor
) -> NetworkArrays:
    """Return the arrays of a network for one molecule.

    Parameters
    ----------
    embeddings, sequence : (n_beads,), as ``Network.energy`` takes them
    """
    dense, filters = read_dense(network), tabulate(network)
    start = dense.embedding[embeddings.cpu()]
    layers = dense.layers
    inward = torch.stack([layer.inward for layer in layers])
    between = torch.stack([layer.between for layer in layers])
    outward = torch.stack([layer.outward for layer in layers])
    return NetworkArrays(
        tables=_f(filters.coefficients),
        n_intervals=filters.n_intervals,
        cutoff=filters.cutoff_angstrom,
        pairs=_list_pairs(network, sequence, filters),
        start=_f(start),
        first=_f(start.double() @ inward[0].double().T),
        inward=_f(inward.mT),
        inward_t=_f(inward),
        between=_f(between.mT),
        between_t=_f(between),
        between_bias=_f(torch.stack([layer.between_bias for layer in layers])),
        outward=_f(outward.mT),
        outward_t=_f(outward),
        outward_bias=_f(torch.stack([layer.outward_bias for layer in layers])),
        head=_f(dense.head.T),
        head_t=_f(dense.head),
        head_bias=_f(dense.head_bias),
        last=_f(dense.last),
        last_bias=dense.last_bias,
        activation=dense.activation,
    )


def no_network() -> NetworkArrays:
    """Return arrays of no layers, for a prior alone."""
    none = {2: np.zeros((0, 0), np.float32), 3: np.zeros((0, 0, 0), np.float32)}
    one = np.zeros(0, np.float32)
    square, cube = none[2], none[3]
    return NetworkArrays(
        np.zeros((0, 0, 4, 0), np.float32), 1, 1.0, np.zeros((0, 3), np.int32),
        square, square, cube, cube, cube, cube, square, cube, cube, square,
        square, square, one, one, 0.0, SILU,
    )  # fmt: skip


def _list_pairs(network: Network, sequence: Tensor, filters: FilterTables) -> IntArray:
    first, second = torch.triu_indices(len(sequence), len(sequence), 1)
    rows = list_kinds(network, sequence)[first, second] * filters.n_intervals
    return np.ascontiguousarray(torch.stack([first, second, rows], dim=1).int().numpy())


def _read_cgschnet(network: CGSchNetNetwork) -> Dense:
    layers = [
        _list_layer(layer.inward, layer.outward[0], layer.outward[2])
        for layer in network._layers
    ]
    head, last = network.output[0], network.output[2]
    return _detached(network.embedding, layers, head, last, SILU)


def _read_graph(network: TorchMDNetNetwork) -> Dense:
    layers = [
        _list_layer(block.conv.lin1, block.conv.lin2, block.lin)
        for block in network.representation.interactions
    ]
    parts = list(network.output.output_network.modules())
    head, last = [part for part in parts if isinstance(part, nn.Linear)]
    activation = _activation(network.output.output_network)
    assert activation is not None
    return _detached(network.representation.embedding, layers, head, last, activation)


def _list_layer(inward: Any, between: Any, outward: Any) -> Layer:
    return Layer(
        inward.weight, between.weight, between.bias, outward.weight, outward.bias
    )


def _activation(module: nn.Module) -> int | None:
    for part in module.modules():
        if isinstance(part, nn.SiLU):
            return SILU
        if isinstance(part, nn.Tanh):
            return TANH
    return None


def _detached(
    embedding: nn.Module, layers: list[Layer], head: nn.Module, last: nn.Module,
    activation: int,
) -> Dense:  # fmt: skip
    assert isinstance(embedding, nn.Embedding)
    assert isinstance(head, nn.Linear)
    assert isinstance(last, nn.Linear)
    return Dense(
        embedding.weight.detach().cpu(),
        [Layer(*(t.detach().cpu() for t in layer)) for layer in layers],
        head.weight.detach().cpu(),
        head.bias.detach().cpu(),
        last.weight.detach().cpu()[0],
        0.0 if last.bias is None else float(last.bias.detach()),
        activation,
    )


def _f(values: Tensor) -> Array:
    return np.ascontiguousarray(values.detach().cpu().numpy().astype(np.float32))
