"""The contract of a model of forces: what dynamics in a periodic box rely on."""

from types import ModuleType
from typing import Any, ClassVar

import torch
from torch import Tensor

from apps.contracts.networks import NetworkContract, check_gradients
from apps.science.models.forces.base import PACKAGE

N_PARTICLES = 9
TYPES = torch.tensor([0, 1, 1, 0, 1, 1, 0, 1, 1])


class ForcesContract(NetworkContract):
    """Forces without an energy. Overrides: ``kind``, ``settings``."""

    package: ClassVar[str] = PACKAGE

    def test_one_finite_force_per_particle(
        self, module: ModuleType, network: Any, settings: dict[str, Any]
    ) -> None:
        positions, box = fill_box(module.Config(**settings).cutoff_angstrom)
        for around in (box, None):
            forces = network.forces(positions, TYPES, around)
            assert forces.shape == positions.shape
            assert torch.isfinite(forces).all()
            assert forces.abs().max() > 1e-4

    def test_moving_all_or_taking_another_image_changes_nothing(
        self, module: ModuleType, network: Any, settings: dict[str, Any]
    ) -> None:
        positions, box = fill_box(module.Config(**settings).cutoff_angstrom)
        forces = network.forces(positions, TYPES, box)
        moved = network.forces(positions + torch.tensor([1.5, -2.5, 0.5]), TYPES, box)
        torch.testing.assert_close(moved, forces, rtol=1e-3, atol=1e-4)
        images = torch.randint(
            -1, 2, positions.shape, generator=torch.Generator().manual_seed(4)
        )
        wrapped = network.forces(positions + images * box[:, None], TYPES, box)
        torch.testing.assert_close(wrapped, forces, rtol=1e-3, atol=1e-4)

    def test_which_number_a_particle_has_does_not_matter(
        self, module: ModuleType, network: Any, settings: dict[str, Any]
    ) -> None:
        positions, box = fill_box(module.Config(**settings).cutoff_angstrom)
        order = torch.randperm(N_PARTICLES, generator=torch.Generator().manual_seed(5))
        forces = network.forces(positions, TYPES, box)
        mixed = network.forces(positions[:, order], TYPES[order], box)
        torch.testing.assert_close(mixed, forces[:, order], rtol=1e-4, atol=1e-4)

    def test_a_replica_does_not_depend_on_its_company(
        self, module: ModuleType, network: Any, settings: dict[str, Any]
    ) -> None:
        positions, box = fill_box(module.Config(**settings).cutoff_angstrom)
        forces = network.forces(positions, TYPES, box)
        alone = network.forces(positions[1:2], TYPES, box[1:2])
        torch.testing.assert_close(alone, forces[1:2], rtol=1e-5, atol=1e-5)

    def test_a_loss_reaches_every_trainable_parameter(
        self, module: ModuleType, network: Any, settings: dict[str, Any]
    ) -> None:
        positions, box = fill_box(module.Config(**settings).cutoff_angstrom)
        check_gradients(network, network.forces(positions, TYPES, box).square().mean())


def fill_box(cutoff_angstrom: float) -> tuple[Tensor, Tensor]:
    """Return three replicas of particles in a box of 2.5 cutoffs, and its edges."""
    edge = 2.5 * cutoff_angstrom
    positions = edge * torch.rand(
        3, N_PARTICLES, 3, generator=torch.Generator().manual_seed(3)
    )
    return positions, torch.full((3, 3), edge)
