"""Which beads are bonded: chain ends, gaps, side beads, and beads far apart."""

import itertools
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from apps.science.arrays import Array
from apps.science.cg.mapping.bead_choice import (
    Bead,
    describe_residue,
    list_chain_residues,
)

_LONGEST_PEPTIDE_BOND: Final = 2.5
_LONGEST_CALPHA_STEP: Final = 4.6
"""Angstrom; between neighbours whose C or N is not in the file."""
_LONGEST_COVALENT: Final = 2.1
_LONGEST_TO_HYDROGEN: Final = 1.35


@dataclass(frozen=True)
class Connectivity:
    """Bonds, angles and dihedrals of beads, and where the chain is interrupted.

    Attributes
    ----------
    gaps : a sentence for each place where a chain is broken or residues are missing
    """

    bonds: list[tuple[int, int]]
    angles: list[tuple[int, int, int]]
    dihedrals: list[tuple[int, int, int, int]]
    gaps: list[str]


def connect_beads(
    topology: Any, positions: Array, beads: Sequence[Bead]
) -> Connectivity:
    """Return what is bonded to what.

    Beads that share a covalent bond are bonded. Where that leaves beads of a chain
    apart, as with C-alpha beads, the shortest covalent paths through atoms of no bead
    join them. No bond crosses a chain end or a gap.

    Parameters
    ----------
    positions : (n_atoms, 3), Angstrom
    """
    joined, gaps = _join_residues(topology, positions)
    edges = _bond_within_residues(topology, positions) + joined
    bonds = _contract(topology.n_atoms, edges, beads)
    return Connectivity(bonds, *_walk(bonds, len(beads)), gaps)


def _distance(positions: Array, i: int, j: int) -> float:
    return float(np.linalg.norm(positions[i] - positions[j]))


def _join_residues(
    topology: Any, positions: Array
) -> tuple[list[tuple[int, int]], list[str]]:
    """Return the atom pairs that link neighbours in a chain, and the gaps."""
    edges, gaps = [], []
    for one, two in itertools.pairwise(list_chain_residues(topology)):
        if one.chain.index != two.chain.index:
            continue
        ends = {a.name: a.index for a in one.atoms}
        starts = {a.name: a.index for a in two.atoms}
        if "C" in ends and "N" in starts:
            pair, longest = (ends["C"], starts["N"]), _LONGEST_PEPTIDE_BOND
        elif "CA" in ends and "CA" in starts:
            pair, longest = (ends["CA"], starts["CA"]), _LONGEST_CALPHA_STEP
        else:
            continue
        length = _distance(positions, *pair)
        if length < longest:
            edges.append(pair)
        else:
            gaps.append(_describe_gap(one, two, length))
    return edges, gaps


def _describe_gap(one: Any, two: Any, length: float) -> str:
    first, last = one.resSeq + 1, two.resSeq - 1
    between = f"between {describe_residue(one)} and {describe_residue(two)}"
    if first > last:
        return f"the chain is broken {between} ({length:.1f} Angstrom apart)"
    if first == last:
        return f"residue {first} is missing {between}"
    return f"residues {first} to {last} are missing {between}"


def _bond_within_residues(topology: Any, positions: Array) -> list[tuple[int, int]]:
    """Return covalent bonds inside residues, by distance where there is no template."""
    edges = [
        (one.index, two.index)
        for one, two in topology.bonds
        if one.residue.index == two.residue.index
    ]
    has_template = {topology.atom(i).residue.index for i, _ in edges}
    for residue in list_chain_residues(topology):
        if residue.index in has_template:
            continue
        for one, two in itertools.combinations(residue.atoms, 2):
            light = "H" in (one.element.symbol, two.element.symbol)
            longest = _LONGEST_TO_HYDROGEN if light else _LONGEST_COVALENT
            if _distance(positions, one.index, two.index) < longest:
                edges.append((one.index, two.index))
    return edges


def _contract(
    n_atoms: int, edges: Sequence[tuple[int, int]], beads: Sequence[Bead]
) -> list[tuple[int, int]]:
    """Give every atom to its nearest bead; bond beads whose atoms touch."""
    neighbours: list[list[int]] = [[] for _ in range(n_atoms)]
    for i, j in edges:
        neighbours[i].append(j)
        neighbours[j].append(i)
    owner, steps = [-1] * n_atoms, [0] * n_atoms
    queue: deque[int] = deque()
    for k, bead in enumerate(beads):  # where two are as near, the first wins
        for atom in bead.atoms:
            owner[atom] = k
            queue.append(atom)
    while queue:
        atom = queue.popleft()
        for other in neighbours[atom]:
            if owner[other] < 0:
                owner[other], steps[other] = owner[atom], steps[atom] + 1
                queue.append(other)
    shortest: dict[tuple[int, int], int] = {}
    for i, j in edges:
        if min(owner[i], owner[j]) >= 0 and owner[i] != owner[j]:
            pair = (min(owner[i], owner[j]), max(owner[i], owner[j]))
            length = steps[i] + steps[j] + 1
            shortest[pair] = min(shortest.get(pair, length), length)
    return _span(shortest, len(beads))


def _span(shortest: dict[tuple[int, int], int], n_beads: int) -> list[tuple[int, int]]:
    """Keep every direct bond, and of the longer paths those that join what is apart."""
    root = list(range(n_beads))

    def find(k: int) -> int:
        while root[k] != k:
            k = root[k]
        return k

    bonds = []
    for pair, length in sorted(shortest.items(), key=lambda item: (item[1], item[0])):
        one, two = find(pair[0]), find(pair[1])
        if length == 1 or one != two:
            bonds.append(pair)
            root[max(one, two)] = min(one, two)
    return sorted(bonds)


def _walk(
    bonds: list[tuple[int, int]], n_beads: int
) -> tuple[list[tuple[int, int, int]], list[tuple[int, int, int, int]]]:
    """Return every path of two and of three bonds, each once, first end first."""
    near: list[list[int]] = [[] for _ in range(n_beads)]
    for i, j in bonds:
        near[i].append(j)
        near[j].append(i)
    angles = [
        (i, j, k)
        for j in range(n_beads)
        for i, k in itertools.combinations(sorted(near[j]), 2)
    ]
    dihedrals = [
        (i, j, k, m) if i < m else (m, k, j, i)
        for j, k in bonds
        for i in near[j]
        for m in near[k]
        if i != k and m not in (i, j)
    ]
    return sorted(angles), sorted(dihedrals)
