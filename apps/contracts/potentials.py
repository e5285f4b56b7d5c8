"""The contract of a potential: what force matching and packed dynamics rely on."""

from types import ModuleType
from typing import Any, ClassVar

import pytest
import torch
from torch import Tensor

from apps.contracts.networks import NetworkContract, check_gradients, draw
from apps.science.models.potentials.base import PACKAGE

N_BEADS = 7
EMBEDDINGS = torch.tensor([4, 4, 5, 8, 6, 13, 2])


class PotentialContract(NetworkContract):
    """A model whose forces are the gradient of an energy.

    Overrides: ``kind``, and ``settings`` where the network should be small.
    """

    package: ClassVar[str] = PACKAGE

    def test_energy_is_invariant_and_forces_turn_along(self, network: Any) -> None:
        positions = draw_positions(5)
        rotation, shift = draw_rotation(), torch.tensor([3.0, -7.0, 11.0])
        energy, forces = compute_forces(network, positions)
        turned_energy, turned = compute_forces(network, positions @ rotation.T + shift)
        torch.testing.assert_close(turned_energy, energy, rtol=1e-4, atol=1e-4)
        torch.testing.assert_close(turned, forces @ rotation.T, rtol=1e-3, atol=1e-4)

    def test_net_force_and_torque_vanish(self, network: Any) -> None:
        positions = draw_positions(5)
        _, forces = compute_forces(network, positions)
        torque = torch.linalg.cross(positions, forces).sum(dim=1)
        assert forces.abs().max() > 1e-3
        assert forces.sum(dim=1).abs().max() < 1e-4
        assert torque.abs().max() < 1e-3

    def test_a_replica_does_not_depend_on_its_company(self, network: Any) -> None:
        positions = draw_positions(64)
        energy, forces = compute_forces(network, positions)
        alone_energy, alone = compute_forces(network, positions[17:18])
        torch.testing.assert_close(alone_energy, energy[17:18], rtol=1e-5, atol=1e-5)
        torch.testing.assert_close(alone, forces[17:18], rtol=1e-5, atol=1e-5)

    def test_energy_and_forces_together_are_those_of_the_energy(
        self, network: Any
    ) -> None:
        positions = draw_positions(3)
        energy, forces = compute_forces(network, positions)
        both = network.energy_and_forces(positions, EMBEDDINGS)
        torch.testing.assert_close(both[0].detach(), energy, rtol=1e-4, atol=1e-4)
        torch.testing.assert_close(both[1].detach(), forces, rtol=1e-3, atol=1e-4)

    def test_energy_is_smooth_where_beads_leave_the_cutoff(
        self, module: ModuleType, settings: dict[str, Any], network: Any
    ) -> None:
        """Of a network of any size with a setting ``cutoff_angstrom``."""
        cutoff = getattr(module.Config(**settings), "cutoff_angstrom", None)
        if module.Config.of_one_size or cutoff is None:
            pytest.skip("it has no cutoff")
        positions = torch.zeros(9, 2, 3)
        positions[:, 1, 0] = cutoff + torch.linspace(-0.02, 0.02, 9)
        leaf = positions.requires_grad_(True)
        energy = network.energy(leaf, EMBEDDINGS[:2])
        (gradient,) = torch.autograd.grad(energy.sum(), leaf)
        assert (energy.max() - energy.min()).item() < 1e-3
        assert gradient.abs().max() < 5e-2

    def test_a_force_loss_reaches_every_trainable_parameter(self, network: Any) -> None:
        positions = draw_positions(4).requires_grad_(True)
        energy = network.energy(positions, EMBEDDINGS)
        forces = torch.autograd.grad(energy.sum(), positions, create_graph=True)[0]
        check_gradients(network, forces.square().mean())

    def test_a_network_of_another_size_of_molecule_is_the_same_network(
        self, module: ModuleType, network: Any
    ) -> None:
        """Training on one molecule and running another needs no rebuild."""
        if module.Config.of_one_size:
            pytest.skip("it is for so many beads and no other number")
        small = draw_positions(3)[:, :5]
        first = network.energy(small, EMBEDDINGS[:5])
        network.energy(draw_positions(2), EMBEDDINGS)
        torch.testing.assert_close(network.energy(small, EMBEDDINGS[:5]), first)


def draw_positions(n_replicas: int) -> Tensor:
    """Return chains with bonds of 3.8 Angstrom, (n_replicas, N_BEADS, 3)."""
    steps = draw(n_replicas, N_BEADS, 3)
    chains: Tensor = (3.8 * steps / steps.norm(dim=-1, keepdim=True)).cumsum(dim=1)
    return chains


def compute_forces(network: Any, positions: Tensor) -> tuple[Tensor, Tensor]:
    """Return energies and the negative of their gradient."""
    leaf = positions.clone().requires_grad_(True)
    energy = network.energy(leaf, EMBEDDINGS)
    return energy.detach(), -torch.autograd.grad(energy.sum(), leaf)[0]


def draw_rotation() -> Tensor:
    """Return a proper rotation, (3, 3)."""
    q, r = torch.linalg.qr(draw(3, 3, seed=3))
    q = q * r.diagonal().sign()
    rotation: Tensor = q * torch.det(q)
    return rotation
