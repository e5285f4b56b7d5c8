"""A Go model: a C-alpha force field whose only minimum is the native structure.

The structure-based model of Clementi, Nymeyer and Onuchic (2000), in TorchMD's terms:
bonds k (r - r0)^2, angles k (theta - theta0)^2, dihedrals sum_n k_n (1 + cos(n phi -
gamma_n)) with n = 1, 3, repulsion 4 eps (sigma / r)^6 of the pairs that do not touch
in the native structure; and one term more, eps (5 (r0/r)^12 - 6 (r0/r)^10) of those
that do. All energies are multiples of one, epsilon. It knows nothing of the sequence:
what a trained model has to beat.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from apps.science.arrays import Array, IntArray
from apps.science.cg.internal_coordinates import (
    measure_angles,
    measure_dihedrals,
    measure_distances,
)
from apps.science.cg.mapping.mapping import Mapping
from apps.science.cg.prior.tables import Fourier, PriorTables, Types
from apps.science.errors import ShapeMismatchError, StructureError

if TYPE_CHECKING:
    import torch

BOND: Final = 100.0
"""k over epsilon, 1/Angstrom^2."""
ANGLE: Final = 20.0
"""k over epsilon, 1/rad^2."""
DIHEDRAL: Final = ((1, 1.0), (3, 0.5))
"""(n, k over epsilon)."""
CONTACT_ANGSTROM: Final = 10.0
"""Beads nearer than this in the native structure, three apart or more, touch."""
MIN_SEPARATION: Final = 3
REPULSION_ANGSTROM: Final = 4.0
STRAIGHT_RAD: Final = math.radians(170.0)
"""A dihedral over a straighter native angle is left out: it is not defined there."""


@dataclass(frozen=True)
class GoParameters:
    """The numbers of a Go model.

    Attributes
    ----------
    tables : TorchMD's terms, every bead a type of its own (G0, G1, ...)
    pairs : (n_contacts, 2) beads
    length : (n_contacts,), Angstrom, native
    epsilon : kcal/mol, of one contact
    """

    tables: PriorTables
    pairs: IntArray
    length: Array
    epsilon: float


def fit_go_model(
    mapping: Mapping, native: Array, epsilon_kcal_per_mol: float = 1.0
) -> GoParameters:
    """Return the Go model whose ground state is ``native`` (n_beads, 3), Angstrom.

    Raises
    ------
    ShapeMismatchError
        If the native structure has another number of beads.
    StructureError
        If no beads touch in it, or two lie on each other.
    """
    if native.shape != (mapping.n_beads, 3):
        raise ShapeMismatchError(
            f"The native structure is of shape {native.shape}; expected "
            f"({mapping.n_beads}, 3). Map it with the mapping of this protein."
        )
    first, second = np.triu_indices(mapping.n_beads, k=MIN_SEPARATION)
    apart = np.linalg.norm(native[first] - native[second], axis=-1)
    touch = apart < CONTACT_ANGSTROM
    if not touch.any():
        raise StructureError(
            f"No two of {mapping.n_beads} beads at least {MIN_SEPARATION} apart are "
            f"within {CONTACT_ANGSTROM:g} Å in the native structure, so a Gō model has "
            "nothing to hold it. Give a folded structure."
        )
    if apart.min() < 1.0:
        raise StructureError(
            f"Two beads of the native structure are {apart.min():.2f} Å apart. Give a "
            "structure without clashes."
        )
    return GoParameters(
        _tabulate(mapping, native, epsilon_kcal_per_mol),
        np.stack([first[touch], second[touch]], axis=1),
        apart[touch],
        epsilon_kcal_per_mol,
    )


def _tabulate(mapping: Mapping, native: Array, epsilon: float) -> PriorTables:
    x = native[None]

    def name(beads: Sequence[int]) -> Types:
        return tuple(f"G{bead}" for bead in beads)

    lengths = measure_distances(x, mapping.bonds)[0]
    angles = measure_angles(x, mapping.angles)[0] if mapping.angles else np.empty(0)
    native_angle = dict(zip(mapping.angles, angles, strict=True))
    kept = [
        quad
        for quad in mapping.dihedrals
        if max(native_angle.get(quad[:3], 0.0), native_angle.get(quad[1:], 0.0))
        < STRAIGHT_RAD
    ]
    twists = measure_dihedrals(x, kept)[0] if kept else np.empty(0)
    flat: Fourier = ((0.0, 0.0, 1),)
    dihedrals: dict[Types, Fourier] = {name(quad): flat for quad in mapping.dihedrals}
    for quad, phi in zip(kept, twists, strict=True):
        # k (1 - cos(n (phi - phi0))) is k (1 + cos(n phi - (n phi0 + pi)))
        dihedrals[name(quad)] = tuple(
            (k * epsilon, n * float(phi) + math.pi, n) for n, k in DIHEDRAL
        )
    return PriorTables(
        terms=("bonds", "angles", "dihedrals", "repulsion"),
        exclusions=("bonds", "angles"),
        bonds={
            name(pair): (BOND * epsilon, float(r0))
            for pair, r0 in zip(mapping.bonds, lengths, strict=True)
        },
        angles={
            name(triple): (ANGLE * epsilon, float(theta0))
            for triple, theta0 in zip(mapping.angles, angles, strict=True)
        },
        dihedrals=dihedrals,
        repulsion={
            name((bead,)): (REPULSION_ANGSTROM, epsilon / 4.0)
            for bead in range(mapping.n_beads)
        },
        masses=dict(
            zip(
                (f"G{bead}" for bead in range(mapping.n_beads)),
                mapping.masses_amu,
                strict=True,
            )
        ),
    )


class GoForceField:
    """Energies and forces of replicas, as dynamics asks for them (``ComputesForces``).

    Attributes
    ----------
    n_beads, masses_amu, bonds : as of ``cg.force_field.ForceField``
    """

    def __init__(
        self, parameters: GoParameters, mapping: Mapping, device: str = "cpu"
    ) -> None:
        import torch

        from apps.science.cg.prior.terms import RepulsionTerm, build_prior

        own = mapping.model_copy(
            update={"types": [f"G{bead}" for bead in range(mapping.n_beads)]}
        )
        prior = build_prior(own, parameters.tables)
        pairs = torch.tensor(parameters.pairs)
        repulsion = prior.terms.get("repulsion")
        if isinstance(repulsion, RepulsionTerm):  # native pairs attract instead
            repulsion.strength[pairs[:, 0], pairs[:, 1]] = 0.0
            repulsion.strength[pairs[:, 1], pairs[:, 0]] = 0.0
        self.prior = prior.to(device)
        self.n_beads = mapping.n_beads
        self.masses_amu: Sequence[float] = list(mapping.masses_amu)
        self.bonds: Sequence[tuple[int, int]] = list(mapping.bonds)
        difference = torch.zeros(len(pairs), self.n_beads, dtype=torch.float64)
        rows = torch.arange(len(pairs))
        difference[rows, pairs[:, 0]] = -1.0
        difference[rows, pairs[:, 1]] = 1.0
        self._difference = difference.to(device)
        self._length = torch.tensor(parameters.length, device=device)
        self._epsilon = parameters.epsilon

    def compute(self, positions: "torch.Tensor") -> "tuple[torch.Tensor, torch.Tensor]":
        """Return energies (R,), kcal/mol, and forces (R, n_beads, 3), kcal/mol/Å.

        Parameters
        ----------
        positions : (R, n_beads, 3), Angstrom, float32 or float64
        """
        energy, forces = self.prior.energy_and_forces(positions)
        difference = self._difference.to(positions.dtype)
        vector = difference @ positions
        squared = vector.square().sum(-1).clamp_min(1e-6)
        ratio = self._length.to(positions.dtype).square() / squared
        fifth = ratio**5
        pair = self._epsilon * fifth * (5.0 * ratio - 6.0)
        push = 60.0 * self._epsilon * fifth * (ratio - 1.0) / squared
        return energy + pair.sum(dim=1), forces + difference.T @ (
            push.unsqueeze(-1) * vector
        )
