"""Energy and forces of a SchNet-type network, compiled, forward and back by hand.

Work is done replica by replica: a replica's bits are the same in any company. Several
replicas pass a layer one after the other while its weights are in the cache.
"""

import math
from typing import NamedTuple

import numpy as np

from apps.science.arrays import Array, IntArray
from apps.science.cg.fast.activation_kernel import activate
from apps.science.cg.fast.compiled import kernel
from apps.science.cg.fast.network_arrays import NetworkArrays


class Workspace(NamedTuple):
    """Room for a tile of replicas (T), reused from step to step.

    Attributes
    ----------
    n_near : (T,); pairs inside the cutoff
    near : (T, n_pairs, 3), int32: two beads and a row of the tables
    along : (T, n_pairs), float32: where in the interval, 0 to 1
    unit : (T, n_pairs, 3), from the first bead to the second
    slopes : (T, n_pairs), dE/dr, kcal/mol/Angstrom
    x, back : (T, N, C), the beads' features and dE/dx
    y, gain : (L, T, N, C), what is convolved, and the slope of the activation
    one, two, three : (N, C); row : (2, C); whole : (N, C), int32
    head_one, head_two : (N, H)
    """

    n_near: IntArray
    near: IntArray
    along: Array
    unit: Array
    slopes: Array
    x: Array
    back: Array
    y: Array
    gain: Array
    one: Array
    two: Array
    three: Array
    row: Array
    whole: IntArray
    head_one: Array
    head_two: Array
    head_three: Array
    head_whole: IntArray


def make_workspace(network: NetworkArrays, n_replicas: int) -> Workspace:
    """Return room for ``n_replicas``."""
    n_layers, n_channels = len(network.tables), network.tables.shape[-1]
    n_pairs, n_beads = len(network.pairs), len(network.start)
    n_hidden = network.head.shape[1]

    def f(*shape: int) -> Array:
        return np.zeros(shape, np.float32)

    each = (n_replicas, n_beads, n_channels)
    return Workspace(
        np.zeros(n_replicas, np.int64), np.zeros((n_replicas, n_pairs, 3), np.int32),
        f(n_replicas, n_pairs), np.zeros((n_replicas, n_pairs, 3)),
        f(n_replicas, n_pairs), f(*each), f(*each), f(n_layers, *each),
        f(n_layers, *each), f(n_beads, n_channels), f(n_beads, n_channels),
        f(n_beads, n_channels), f(2, n_channels),
        np.zeros((n_beads, n_channels), np.int32),
        f(n_beads, n_hidden), f(n_beads, n_hidden), f(n_beads, n_hidden),
        np.zeros((n_beads, n_hidden), np.int32),
    )  # fmt: skip


@kernel
def add_network(
    x: Array, f: Array, energy: Array, live: IntArray, network: NetworkArrays,
    work: Workspace,
) -> None:  # fmt: skip
    """Add a network's energies and forces to those of the replicas ``live``.

    Parameters
    ----------
    x, f : (T, N, 3), Angstrom and kcal/mol/Angstrom
    energy : (T,), kcal/mol
    live : (n_live,), rows of the tile to compute
    """
    n_layers = len(network.tables)
    for s in live:
        work.n_near[s] = _find_near(
            x[s], network, work.near[s], work.along[s], work.unit[s]
        )
        work.slopes[s, : work.n_near[s]] = 0.0
        work.x[s] = network.start
    for layer in range(n_layers):
        for s in live:
            _go_forward(layer, s, network, work)
    for s in live:
        energy[s] += _read_energy(s, network, work)
    for layer in range(n_layers - 1, -1, -1):
        for s in live:
            _go_back(layer, s, network, work)
    for s in live:
        _pull(f[s], work.n_near[s], work.near[s], work.slopes[s], work.unit[s])


@kernel
def _find_near(
    x: Array, network: NetworkArrays, near: IntArray, along: Array, unit: Array
) -> int:
    """List the pairs inside the cutoff; a pair that is not a number is not."""
    n_near, per_angstrom = 0, network.n_intervals / network.cutoff
    for p in range(len(network.pairs)):
        i, j = network.pairs[p, 0], network.pairs[p, 1]
        dx, dy, dz = x[j, 0] - x[i, 0], x[j, 1] - x[i, 1], x[j, 2] - x[i, 2]
        r = math.sqrt(dx * dx + dy * dy + dz * dz)
        if r < network.cutoff:
            place = r * per_angstrom
            interval = min(int(place), network.n_intervals - 1)
            near[n_near, 0], near[n_near, 1] = i, j
            near[n_near, 2] = network.pairs[p, 2] + interval
            along[n_near] = place - interval
            inverse = 1.0 / max(r, 1e-12)
            unit[n_near, 0] = dx * inverse
            unit[n_near, 1] = dy * inverse
            unit[n_near, 2] = dz * inverse
            n_near += 1
    return n_near


@kernel
def _go_forward(layer: int, s: int, network: NetworkArrays, work: Workspace) -> None:
    y = work.y[layer, s]
    if layer == 0:
        y[:] = network.first
    else:
        np.dot(work.x[s], network.inward[layer], y)
    message, hidden = work.one, work.two
    message[:] = 0.0
    table, near, along = network.tables[layer], work.near[s], work.along[s]
    row = work.row[0]
    for p in range(work.n_near[s]):
        i, j = near[p, 0], near[p, 1]
        _mix(row, table, near[p, 2], along[p])
        _multiply_add(message, i, row, y, j)
        _multiply_add(message, j, row, y, i)
    np.dot(message, network.between[layer], hidden)
    _add_row(hidden, network.between_bias[layer])
    activate(hidden, work.gain[layer, s], work.whole, network.activation)
    np.dot(hidden, network.outward[layer], message)
    _add_row(message, network.outward_bias[layer])
    _add(work.x[s], message)


@kernel
def _read_energy(s: int, network: NetworkArrays, work: Workspace) -> float:
    """Return the sum of bead energies, and begin the way back."""
    hidden, gain = work.head_one, work.head_two
    np.dot(work.x[s], network.head, hidden)
    _add_row(hidden, network.head_bias)
    activate(hidden, gain, work.head_whole, network.activation)
    energy = network.last_bias * len(hidden)
    for i in range(len(hidden)):
        for h in range(len(network.last)):
            energy += hidden[i, h] * network.last[h]
            gain[i, h] *= network.last[h]
    np.dot(gain, network.head_t, work.back[s])
    return energy


@kernel
def _go_back(layer: int, s: int, network: NetworkArrays, work: Workspace) -> None:
    y, back = work.y[layer, s], work.back[s]
    hidden, pull, to_y = work.one, work.two, work.three
    np.dot(back, network.outward_t[layer], hidden)
    _multiply(hidden, work.gain[layer, s])
    np.dot(hidden, network.between_t[layer], pull)
    table, near, along = network.tables[layer], work.near[s], work.along[s]
    row, slopes = work.row[0], work.slopes[s]
    per_angstrom = np.float32(network.n_intervals / network.cutoff)
    to_y[:] = 0.0
    for p in range(work.n_near[s]):
        i, j = near[p, 0], near[p, 1]
        _mix_slopes(row, table, near[p, 2], along[p])
        slopes[p] += per_angstrom * _contract(row, pull, y, i, j)
        if layer:
            _mix(row, table, near[p, 2], along[p])
            _multiply_add(to_y, i, row, pull, j)
            _multiply_add(to_y, j, row, pull, i)
    if layer:
        np.dot(to_y, network.inward_t[layer], hidden)
        _add(back, hidden)


@kernel
def _pull(f: Array, n_near: int, near: IntArray, slopes: Array, unit: Array) -> None:
    for p in range(n_near):
        i, j = near[p, 0], near[p, 1]
        for d in range(3):
            along = slopes[p] * unit[p, d]
            f[i, d] += along
            f[j, d] -= along


# Loops with one array to write each: the compiler then finds them free of overlap and
# uses vector instructions. Rows go by number, since taking one as an array costs more
# than the loop.


@kernel
def _mix(row: Array, table: Array, k: int, u: float) -> None:
    uu = u * u
    uuu = uu * u
    for c in range(len(row)):
        low = table[k, 0, c] + u * table[k, 1, c]
        row[c] = low + uu * table[k, 2, c] + uuu * table[k, 3, c]


@kernel
def _mix_slopes(row: Array, table: Array, k: int, u: float) -> None:
    twice, thrice = np.float32(2) * u, np.float32(3) * u * u
    for c in range(len(row)):
        row[c] = table[k, 1, c] + twice * table[k, 2, c] + thrice * table[k, 3, c]


@kernel
def _multiply_add(out: Array, i: int, row: Array, y: Array, j: int) -> None:
    for c in range(len(row)):
        out[i, c] += row[c] * y[j, c]


@kernel
def _contract(row: Array, pull: Array, y: Array, i: int, j: int) -> float:
    total: float = np.float32(0)  # type: ignore[assignment]
    for c in range(len(row)):
        total += row[c] * (pull[i, c] * y[j, c] + pull[j, c] * y[i, c])
    return total


@kernel
def _add_row(out: Array, row: Array) -> None:
    for i in range(len(out)):
        _add(out[i], row)


@kernel
def _add(out: Array, values: Array) -> None:
    one, two = out.ravel(), values.ravel()
    for c in range(len(one)):
        one[c] += two[c]


@kernel
def _multiply(out: Array, values: Array) -> None:
    one, two = out.ravel(), values.ravel()
    for c in range(len(one)):
        one[c] *= two[c]
