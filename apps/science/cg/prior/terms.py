"""Energies and analytic forces of the prior, vectorised over replicas (torch).

Beads are gathered and forces scattered with small incidence matrices, so that the
result does not depend on the order of atomic additions on a GPU.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from apps.science.cg.mapping.mapping import Mapping
from apps.science.cg.prior.tables import PriorTables, list_pairs, list_types, look_up

_TINY = 1e-12


@dataclass(frozen=True)
class BondTerm:
    """k (r - r0)^2; ``difference`` (n_bonds, n_beads) has -1 and +1 in each row."""

    difference: Tensor
    k: Tensor
    r0: Tensor

    def compute(self, positions: Tensor) -> tuple[Tensor, Tensor]:
        """Return energies (R,) and forces (R, n_beads, 3)."""
        vector = self.difference @ positions
        length = vector.norm(dim=-1)
        stretch = length - self.r0
        energy = (self.k * stretch.square()).sum(dim=1)
        pull = (-2.0 * self.k * stretch / length.clamp_min(_TINY)).unsqueeze(-1)
        return energy, self.difference.T @ (pull * vector)


@dataclass(frozen=True)
class AngleTerm:
    """k (theta - theta0)^2 of bead triples; ``arms`` go from the middle outwards."""

    arm_one: Tensor
    arm_two: Tensor
    k: Tensor
    theta0: Tensor

    def compute(self, positions: Tensor) -> tuple[Tensor, Tensor]:
        """Return energies (R,) and forces (R, n_beads, 3)."""
        one, two = self.arm_one @ positions, self.arm_two @ positions
        length_one = one.norm(dim=-1, keepdim=True).clamp_min(_TINY)
        length_two = two.norm(dim=-1, keepdim=True).clamp_min(_TINY)
        unit_one, unit_two = one / length_one, two / length_two
        cos = (unit_one * unit_two).sum(-1, keepdim=True)
        sin = torch.linalg.cross(unit_one, unit_two).norm(dim=-1, keepdim=True)
        bend = torch.atan2(sin, cos).squeeze(-1) - self.theta0
        energy = (self.k * bend.square()).sum(dim=1)
        slope = (2.0 * self.k * bend).unsqueeze(-1) / sin.clamp_min(1e-7)
        force_one = slope * (unit_two - cos * unit_one) / length_one
        force_two = slope * (unit_one - cos * unit_two) / length_two
        return energy, self.arm_one.T @ force_one + self.arm_two.T @ force_two


@dataclass(frozen=True)
class DihedralTerm:
    """sum_n k_n (1 + cos(n phi - gamma_n)), IUPAC sign; k, phase, n (n_dih, n_max)."""

    step_one: Tensor
    step_two: Tensor
    step_three: Tensor
    k: Tensor
    phase: Tensor
    periodicity: Tensor

    def compute(self, positions: Tensor) -> tuple[Tensor, Tensor]:
        """Return energies (R,) and forces (R, n_beads, 3) (Blondel, Karplus 1996)."""
        b1 = self.step_one @ positions
        b2 = self.step_two @ positions
        b3 = self.step_three @ positions
        n1, n2 = torch.linalg.cross(b1, b2), torch.linalg.cross(b2, b3)
        b2_squared = b2.square().sum(-1, keepdim=True).clamp_min(_TINY)
        b2_length = b2_squared.sqrt()
        phi = torch.atan2(
            (b2_length * b1 * n2).sum(-1, keepdim=True), (n1 * n2).sum(-1, keepdim=True)
        )
        argument = self.periodicity * phi - self.phase
        energy = (self.k * (1.0 + argument.cos())).sum(dim=(1, 2))
        slope = -(self.k * self.periodicity * argument.sin()).sum(-1, keepdim=True)
        first = (
            slope * b2_length * n1 / n1.square().sum(-1, keepdim=True).clamp_min(_TINY)
        )
        last = (
            -slope * b2_length * n2 / n2.square().sum(-1, keepdim=True).clamp_min(_TINY)
        )
        lean_one = (b1 * b2).sum(-1, keepdim=True) / b2_squared
        lean_two = (b3 * b2).sum(-1, keepdim=True) / b2_squared
        middle = lean_one * first - lean_two * last
        # Forces on the four beads are first, -first - middle, middle - last, last;
        # written on the three steps between them.
        forces = (
            self.step_one.T @ -first
            + self.step_two.T @ middle
            + self.step_three.T @ last
        )
        return energy, forces


@dataclass(frozen=True)
class RepulsionTerm:
    """B_ij / r^6 over all pairs that are not excluded; ``strength`` (N, N)."""

    strength: Tensor

    def compute(self, positions: Tensor) -> tuple[Tensor, Tensor]:
        """Return energies (R,) and forces (R, n_beads, 3)."""
        vector = positions.unsqueeze(2) - positions.unsqueeze(1)
        squared = vector.square().sum(-1)
        inverse = torch.where(self.strength > 0, 1.0 / squared.clamp_min(_TINY), 0.0)
        pair = self.strength * inverse**3
        push = (6.0 * pair * inverse).unsqueeze(-1)
        return 0.5 * pair.sum(dim=(1, 2)), (push * vector).sum(dim=2)


PriorTerm = BondTerm | AngleTerm | DihedralTerm | RepulsionTerm


def _cast(term: PriorTerm, dtype: torch.dtype, device: torch.device) -> PriorTerm:
    fields = {k: v.to(device=device, dtype=dtype) for k, v in vars(term).items()}
    return replace(term, **fields)


class Prior:
    """The prior of one molecule: a sum of terms.

    Parameters
    ----------
    terms : by name; float64 master copies, cast once per precision and device
    tables : parameters by type that the terms were built from
    """

    def __init__(self, terms: dict[str, PriorTerm], tables: PriorTables) -> None:
        self.terms = terms
        self.tables = tables
        self._casts: dict[tuple[torch.dtype, torch.device], list[PriorTerm]] = {}

    @property
    def bonds(self) -> BondTerm | None:
        """The bond term, if the prior has one."""
        term = self.terms.get("bonds")
        return term if isinstance(term, BondTerm) else None

    def to(self, device: str | torch.device) -> "Prior":
        """Return the prior with its terms on ``device``."""
        where = torch.device(device)
        terms = {k: _cast(t, torch.float64, where) for k, t in self.terms.items()}
        return Prior(terms, self.tables)

    def energy_and_forces(self, positions: Tensor) -> tuple[Tensor, Tensor]:
        """Return energies (R,), kcal/mol, and forces (R, N, 3), kcal/mol/Angstrom.

        Parameters
        ----------
        positions : (R, N, 3), Angstrom, float32 or float64
        """
        energy = positions.new_zeros(len(positions))
        forces = torch.zeros_like(positions)
        for term in self._cast_to(positions):
            term_energy, term_forces = term.compute(positions)
            energy = energy + term_energy
            forces = forces + term_forces
        return energy, forces

    def _cast_to(self, positions: Tensor) -> list[PriorTerm]:
        key = (positions.dtype, positions.device)
        if key not in self._casts:
            self._casts[key] = [_cast(t, *key) for t in self.terms.values()]
        return self._casts[key]


def _steps(pairs: Sequence[tuple[int, int]], n_beads: int) -> Tensor:
    matrix = torch.zeros(len(pairs), n_beads, dtype=torch.float64)
    for row, (start, end) in zip(matrix, pairs, strict=True):
        row[start], row[end] = -1.0, 1.0
    return matrix


def _column(values: Sequence[float]) -> Tensor:
    return torch.tensor(list(values), dtype=torch.float64)


def _build_bonds(mapping: Mapping, tables: PriorTables) -> BondTerm:
    found = [
        look_up(tables.bonds, list_types(mapping, b), "bond") for b in mapping.bonds
    ]
    return BondTerm(
        _steps(mapping.bonds, mapping.n_beads),
        _column([k for k, _ in found]),
        _column([r0 for _, r0 in found]),
    )


def _build_angles(mapping: Mapping, tables: PriorTables) -> AngleTerm:
    angles = mapping.angles
    found = [look_up(tables.angles, list_types(mapping, a), "angle") for a in angles]
    return AngleTerm(
        _steps([(b, a) for a, b, _ in angles], mapping.n_beads),
        _steps([(b, c) for _, b, c in angles], mapping.n_beads),
        _column([k for k, _ in found]),
        _column([theta0 for _, theta0 in found]),
    )


def _build_dihedrals(mapping: Mapping, tables: PriorTables) -> DihedralTerm:
    quads = mapping.dihedrals
    found = [
        look_up(tables.dihedrals, list_types(mapping, q), "dihedral") for q in quads
    ]
    n_max = max(len(series) for series in found)
    padded = torch.zeros(len(quads), n_max, 3, dtype=torch.float64)
    for row, series in zip(padded, found, strict=True):
        row[: len(series)] = torch.tensor(series, dtype=torch.float64)
    n = mapping.n_beads
    return DihedralTerm(
        _steps([(a, b) for a, b, _, _ in quads], n),
        _steps([(b, c) for _, b, c, _ in quads], n),
        _steps([(c, d) for _, _, c, d in quads], n),
        *padded.unbind(-1),
    )


def _build_repulsion(mapping: Mapping, tables: PriorTables) -> RepulsionTerm:
    found = [look_up(tables.repulsion, (t,), "repulsion") for t in mapping.types]
    sigma = _column([s for s, _ in found])
    epsilon = _column([e for _, e in found])
    mixed = 0.5 * (sigma[:, None] + sigma[None, :])
    strength = 4.0 * (epsilon[:, None] * epsilon[None, :]).sqrt() * mixed**6
    keep = torch.zeros_like(strength)
    for i, j in list_pairs(mapping, tables.exclusions):
        keep[i, j] = keep[j, i] = 1.0
    return RepulsionTerm(strength * keep)


def build_prior(mapping: Mapping, tables: PriorTables) -> Prior:
    """Give every bond, angle, dihedral and pair of a molecule its parameters.

    Raises
    ------
    DataError
        If the tables lack an entry for a type of this molecule.
    """
    terms: dict[str, PriorTerm] = {}
    if "bonds" in tables.terms and mapping.bonds:
        terms["bonds"] = _build_bonds(mapping, tables)
    if "angles" in tables.terms and mapping.angles:
        terms["angles"] = _build_angles(mapping, tables)
    if "dihedrals" in tables.terms and mapping.dihedrals:
        terms["dihedrals"] = _build_dihedrals(mapping, tables)
    if "repulsion" in tables.terms and list_pairs(mapping, tables.exclusions):
        terms["repulsion"] = _build_repulsion(mapping, tables)
    return Prior(terms, tables)
