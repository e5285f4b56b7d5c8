import pytest
import torch
from pydantic import ValidationError
from torch import Tensor

from apps.science.models.potentials.base import build_network, read_config
from apps.science.models.potentials.torchmd_net import Config

EMBEDDINGS = torch.tensor([4, 4, 5, 8, 6, 13, 2, 13, 7, 4])


def draw_positions(n_replicas: int, n_beads: int = 10) -> Tensor:
    generator = torch.Generator().manual_seed(2)
    steps = torch.randn(n_replicas, n_beads, 3, generator=generator)
    return (3.8 * steps / steps.norm(dim=-1, keepdim=True)).cumsum(dim=1)


def build(**settings: object) -> torch.nn.Module:
    torch.manual_seed(1)
    small = {"kind": "torchmd_net", "embedding_dimension": 16, "num_layers": 2}
    return build_network(read_config(small | settings))


def test_pairwise_filters_give_torchmd_nets_own_energy_and_forces() -> None:
    network, positions = build(), draw_positions(6)
    results = []
    for energy_of in (network.energy, network.library_energy):
        leaf = positions.clone().requires_grad_(True)
        energy = energy_of(leaf, EMBEDDINGS)
        results.append((energy, torch.autograd.grad(energy.sum(), leaf)[0]))
    torch.testing.assert_close(results[0], results[1], rtol=1e-5, atol=1e-5)


def test_dense_pairs_give_the_energy_of_torchmd_nets_neighbour_search() -> None:
    from torchmdnet.models.utils import OptimizedDistance

    network, positions = build(cutoff_angstrom=9.0), draw_positions(6)
    dense = network.library_energy(positions, EMBEDDINGS)
    network.representation.distance = OptimizedDistance(
        0.0, 9.0, max_num_pairs=-64, long_edge_index=True
    )
    searched = network.library_energy(positions, EMBEDDINGS)
    torch.testing.assert_close(dense, searched, rtol=1e-5, atol=1e-5)


def test_molecules_too_large_for_all_pairs_agree_with_them() -> None:
    network, positions = build(), draw_positions(2, 40)
    embeddings = EMBEDDINGS.repeat(4)
    near_only = network.energy(positions, embeddings)
    all_pairs = network._graph_energy(positions, embeddings)
    torch.testing.assert_close(near_only, all_pairs, rtol=1e-4, atol=1e-4)


def test_equivariant_transformer_is_invariant_and_differentiable_twice() -> None:
    network = build(architecture="equivariant-transformer")
    positions = draw_positions(3).requires_grad_(True)
    energy = network.energy(positions, EMBEDDINGS)
    mirrored = network.energy(positions * torch.tensor([1.0, 1.0, -1.0]), EMBEDDINGS)
    torch.testing.assert_close(energy, mirrored, rtol=1e-4, atol=1e-4)
    forces = torch.autograd.grad(energy.sum(), positions, create_graph=True)[0]
    forces.square().sum().backward()
    assert all(
        torch.isfinite(p.grad).all() for p in network.parameters() if p.grad is not None
    )


@pytest.mark.slow
def test_tensornet_net_force_vanishes() -> None:
    network = build(architecture="tensornet")
    positions = draw_positions(2).requires_grad_(True)
    energy = network.energy(positions, EMBEDDINGS)
    (gradient,) = torch.autograd.grad(energy.sum(), positions)
    assert gradient.sum(dim=1).abs().max() < 1e-4


def test_the_bias_that_only_shifts_the_energy_is_frozen() -> None:
    frozen = [p for p in build().parameters() if not p.requires_grad]
    assert [p.numel() for p in frozen] == [1]


def test_cutoffs_in_the_wrong_order_are_refused() -> None:
    with pytest.raises(ValidationError, match="must be below cutoff_angstrom 12"):
        Config(cutoff_lower_angstrom=13.0)


def test_heads_must_divide_the_channels() -> None:
    with pytest.raises(ValidationError, match="multiple of num_heads 8"):
        Config(architecture="equivariant-transformer", embedding_dimension=20)
