"""One suite over every model: what force matching and packed dynamics rely on.

To add a model, add its file to apps/science/models/; small settings go below.
"""

from typing import Any

import pytest
import torch
from torch import Tensor

from apps.science.models.base import PACKAGE, build_network, read_config
from apps.science.plugins import list_kinds, load_kind

SMALL: dict[str, dict[str, Any]] = {
    "torchmd_net": {"embedding_dimension": 16, "num_layers": 2},
    "cgschnet": {"embedding_dimension": 16, "num_layers": 2},
    "cgnet": {"n_beads": 7, "width": 16},
}
KINDS = list_kinds(PACKAGE)
OF_ANY_SIZE = [k for k in KINDS if not load_kind(PACKAGE, k).Config.of_one_size]
EMBEDDINGS = torch.tensor([4, 4, 5, 8, 6, 13, 2])


def build(kind: str) -> Any:
    torch.manual_seed(1)
    network = build_network(read_config({"kind": kind, **SMALL.get(kind, {})}))
    # Larger weights make a rough landscape: invariance is not tested on a plain.
    with torch.no_grad():
        for parameter in network.parameters():
            if parameter.ndim > 1:
                parameter.mul_(1.5)
    return network


def draw_positions(n_replicas: int) -> Tensor:
    generator = torch.Generator().manual_seed(2)
    steps = torch.randn(n_replicas, 7, 3, generator=generator)
    return (3.8 * steps / steps.norm(dim=-1, keepdim=True)).cumsum(dim=1)


def compute_forces(network: Any, positions: Tensor) -> tuple[Tensor, Tensor]:
    leaf = positions.clone().requires_grad_(True)
    energy = network.energy(leaf, EMBEDDINGS)
    return energy.detach(), -torch.autograd.grad(energy.sum(), leaf)[0]


def draw_rotation() -> Tensor:
    generator = torch.Generator().manual_seed(3)
    q, r = torch.linalg.qr(torch.randn(3, 3, generator=generator))
    q = q * r.diagonal().sign()
    return q * torch.det(q)


@pytest.mark.parametrize("kind", KINDS)
def test_the_kind_is_the_name_of_the_file(kind: str) -> None:
    assert load_kind(PACKAGE, kind).Config().kind == kind


@pytest.mark.parametrize("kind", KINDS)
def test_every_setting_is_described(kind: str) -> None:
    fields = load_kind(PACKAGE, kind).Config.model_fields
    assert [n for n, f in fields.items() if n != "kind" and not f.description] == []


@pytest.mark.parametrize("kind", KINDS)
def test_energy_is_invariant_and_forces_turn_along(kind: str) -> None:
    network, positions = build(kind), draw_positions(5)
    rotation, shift = draw_rotation(), torch.tensor([3.0, -7.0, 11.0])
    energy, forces = compute_forces(network, positions)
    turned_energy, turned = compute_forces(network, positions @ rotation.T + shift)
    torch.testing.assert_close(turned_energy, energy, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(turned, forces @ rotation.T, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("kind", KINDS)
def test_net_force_and_torque_vanish(kind: str) -> None:
    positions = draw_positions(5)
    _, forces = compute_forces(build(kind), positions)
    torque = torch.linalg.cross(positions, forces).sum(dim=1)
    assert forces.abs().max() > 1e-3
    assert forces.sum(dim=1).abs().max() < 1e-4
    assert torque.abs().max() < 1e-3


@pytest.mark.parametrize("kind", KINDS)
def test_a_replica_does_not_depend_on_its_company(kind: str) -> None:
    network, positions = build(kind), draw_positions(64)
    energy, forces = compute_forces(network, positions)
    alone_energy, alone = compute_forces(network, positions[17:18])
    torch.testing.assert_close(alone_energy, energy[17:18], rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(alone, forces[17:18], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("kind", OF_ANY_SIZE)
def test_energy_is_smooth_where_beads_leave_the_cutoff(kind: str) -> None:
    network = build(kind)
    cutoff = read_config({"kind": kind}).model_dump()["cutoff_angstrom"]
    distances = cutoff + torch.linspace(-0.02, 0.02, 9)
    positions = torch.zeros(9, 2, 3)
    positions[:, 1, 0] = distances
    leaf = positions.requires_grad_(True)
    energy = network.energy(leaf, EMBEDDINGS[:2])
    (gradient,) = torch.autograd.grad(energy.sum(), leaf)
    assert (energy.max() - energy.min()).item() < 1e-3
    assert gradient.abs().max() < 5e-2


@pytest.mark.parametrize("kind", KINDS)
def test_a_force_loss_reaches_every_trainable_parameter(kind: str) -> None:
    network, positions = build(kind), draw_positions(4).requires_grad_(True)
    energy = network.energy(positions, EMBEDDINGS)
    forces = torch.autograd.grad(energy.sum(), positions, create_graph=True)[0]
    forces.square().mean().backward()
    missed = [
        name
        for name, p in network.named_parameters()
        if p.requires_grad and (p.grad is None or not torch.isfinite(p.grad).all())
    ]
    assert missed == []


@pytest.mark.parametrize("kind", KINDS)
def test_the_seed_decides_the_weights(kind: str) -> None:
    one, two = build(kind).state_dict(), build(kind).state_dict()
    assert one.keys() == two.keys()
    assert all(torch.equal(one[name], two[name]) for name in one)


@pytest.mark.parametrize("kind", OF_ANY_SIZE)
def test_a_network_of_another_size_of_molecule_is_the_same_network(kind: str) -> None:
    """Training on one molecule and running another needs no rebuild."""
    network = build(kind)
    small = draw_positions(3)[:, :5]
    first = network.energy(small, EMBEDDINGS[:5])
    network.energy(draw_positions(2), EMBEDDINGS)
    torch.testing.assert_close(network.energy(small, EMBEDDINGS[:5]), first)
