"""CGnet sees left from right, and is of one number of beads."""

import numpy as np
import pytest
import torch

from apps.science.errors import ShapeMismatchError
from apps.science.metrics.conformations._geometry import measure_dihedrals
from apps.science.models.potentials._cgnet_net import _dihedrals
from apps.science.models.potentials.base import build_network, read_config

EMBEDDINGS = torch.arange(1, 6)


def draw(n_beads: int = 5) -> torch.Tensor:
    generator = torch.Generator().manual_seed(4)
    return torch.randn(20, n_beads, 3, generator=generator).cumsum(dim=1) * 2


def test_its_dihedrals_are_those_of_the_benchmark() -> None:
    positions = draw()
    cosine, sine = _dihedrals(positions)
    rows = np.array([[0, 1, 2, 3], [1, 2, 3, 4]])
    expected = np.radians(measure_dihedrals(positions.numpy(), rows))
    np.testing.assert_allclose(cosine, np.cos(expected), atol=1e-4)
    np.testing.assert_allclose(sine, np.sin(expected), atol=1e-4)


@pytest.mark.random_outcome
def test_a_mirror_image_has_another_energy(margin) -> None:
    torch.manual_seed(1)
    network = build_network(read_config({"kind": "cgnet"}))
    mirror = draw() * torch.tensor([-1.0, 1.0, 1.0])
    change = network.energy(mirror, EMBEDDINGS) - network.energy(draw(), EMBEDDINGS)
    margin("changed", (change.abs() > 1e-4).float().mean(), above=0.9)


def test_members_learn_from_frames_of_their_own_and_answer_by_their_mean() -> None:
    torch.manual_seed(2)
    network = build_network(
        read_config({"kind": "cgnet", "width": 16, "n_members": 3})
    ).eval()
    positions = draw()[:7]
    mean, forces = network.energy_and_forces(positions, EMBEDDINGS)
    own = []
    for member in range(3):
        one = build_network(read_config({"kind": "cgnet", "width": 16}))
        linear = [layer for layer in one.layers if isinstance(layer, torch.nn.Linear)]
        with torch.no_grad():
            for k, layer in enumerate(linear):
                layer.weight.copy_(network.layers.weights[k][member].T)
                if layer.bias is not None:
                    layer.bias.copy_(network.layers.biases[k].view(3, -1)[member])
        own.append(one.energy_and_forces(positions, EMBEDDINGS))
    torch.testing.assert_close(mean, sum(energy for energy, _ in own) / 3)
    torch.testing.assert_close(forces, sum(force for _, force in own) / 3)
    dealt = network.train().energy(positions, EMBEDDINGS)
    expected = torch.stack([own[k // 3][0][k] for k in range(7)])
    torch.testing.assert_close(dealt, expected)


def test_another_number_of_beads_is_refused() -> None:
    network = build_network(read_config({"kind": "cgnet"}))
    with pytest.raises(ShapeMismatchError, match="for 5 beads, and there are 6"):
        network.energy(draw(6), EMBEDDINGS)
