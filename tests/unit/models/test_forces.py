"""Every network's force is minus the gradient of its energy, and stays near it."""

from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from apps.science.errors import ConfigError
from apps.science.models.potentials.base import build_network, read_config

SMALL = {"embedding_dimension": 16, "num_layers": 2}
MODELS: dict[str, dict[str, Any]] = {
    "cgschnet": {"kind": "cgschnet", **SMALL},
    "cgschnet with exact filters": {
        "kind": "cgschnet", "filter_spacing_angstrom": 0.0, **SMALL
    },
    **{
        name: {"kind": "torchmd_net", "architecture": name, **SMALL}
        for name in ("graph-network", "equivariant-transformer", "tensornet")
    },
}  # fmt: skip
BEADS = torch.tensor([4, 4, 5, 8, 6, 13])
NETWORKS: dict[str, Any] = {}


def get(name: str) -> Any:
    if name not in NETWORKS:
        torch.manual_seed(1)
        NETWORKS[name] = build_network(read_config(MODELS[name])).eval()
    return NETWORKS[name]


@pytest.mark.parametrize("name", MODELS)
@settings(
    max_examples=5, deadline=None, derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],
)  # fmt: skip
@given(seed=st.integers(0, 2**31), bond=st.floats(2.5, 5.0))
def test_force_is_minus_the_gradient(name: str, seed: int, bond: float) -> None:
    """By central differences along a random direction, in single precision."""
    network = get(name)
    generator = torch.Generator().manual_seed(seed)
    steps = torch.randn(1, 6, 3, generator=generator)
    positions = (bond * steps / steps.norm(dim=-1, keepdim=True)).cumsum(dim=1)
    direction = torch.randn(1, 6, 3, generator=generator)
    direction /= direction.norm()
    with torch.no_grad():
        _, forces = network.energy_and_forces(positions, BEADS)
        h = 1e-2
        up, down = (
            network.energy_and_forces(positions + s * h * direction, BEADS)[0]
            for s in (1.0, -1.0)
        )
    along = float((forces * direction).sum())
    assert float(down - up) / (2 * h) == pytest.approx(along, rel=0.02, abs=3e-3)


@pytest.mark.parametrize("name", MODELS)
def test_forces_without_gradients_are_those_with(name: str) -> None:
    network = get(name)
    generator = torch.Generator().manual_seed(3)
    positions = 3.0 * torch.randn(4, 6, 3, generator=generator)
    with_gradients = network.energy_and_forces(positions, BEADS)
    with torch.no_grad():
        without = network.energy_and_forces(positions, BEADS)
    assert with_gradients[1].requires_grad
    assert not without[1].requires_grad
    torch.testing.assert_close(
        without, tuple(t.detach() for t in with_gradients), rtol=1e-4, atol=1e-5
    )


@pytest.mark.parametrize("name", ["graph-network", "cgschnet with exact filters"])
def test_mixed_precision_is_of_filters_in_training_alone(name: str) -> None:
    torch.manual_seed(1)
    network = build_network(read_config(MODELS[name]))
    positions = 3.0 * torch.randn(8, 6, 3)
    exact = network.energy_and_forces(positions, BEADS)[1].detach()
    network.use_mixed_precision()
    rounded = network.energy_and_forces(positions, BEADS)[1]
    assert rounded.dtype == torch.float32
    rounded.square().mean().backward()
    assert all(
        p.grad is None or p.grad.dtype == torch.float32 for p in network.parameters()
    )
    change = float((rounded.detach() - exact).norm() / exact.norm())
    assert 0.0 < change < 0.02
    network.eval()
    with torch.no_grad():
        _, forces = network.energy_and_forces(positions, BEADS)
    torch.testing.assert_close(forces, exact, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", ["cgschnet", "equivariant-transformer", "tensornet"])
def test_mixed_precision_is_refused_where_there_is_none(name: str) -> None:
    with pytest.raises(ConfigError, match="mixed_precision: false"):
        get(name).use_mixed_precision()
