"""What the suites of all families of models share."""

from types import ModuleType
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from apps.contracts.kinds import KindContract, check_settings


class NetworkContract(KindContract):
    """A model of any family. Overrides: ``kind``, and ``settings`` of a small one."""

    @pytest.fixture
    def settings(self) -> dict[str, Any]:
        """Return settings of a small network."""
        return {}

    @pytest.fixture
    def network(self, module: ModuleType, settings: dict[str, Any]) -> Any:
        """Return an untrained network."""
        return build(module, settings)

    def test_the_kind_is_the_name_it_is_found_by_and_settings_are_strict(
        self, kind: str, module: ModuleType, settings: dict[str, Any]
    ) -> None:
        check_settings(module.Config, kind, settings)

    def test_every_setting_is_described(self, module: ModuleType) -> None:
        fields = module.Config.model_fields
        assert [n for n, f in fields.items() if n != "kind" and not f.description] == []

    def test_the_seed_decides_the_weights(
        self, module: ModuleType, settings: dict[str, Any]
    ) -> None:
        one, two = (build(module, settings).state_dict() for _ in range(2))
        assert one.keys() == two.keys()
        assert all(torch.equal(one[name], two[name]) for name in one)


def build(module: ModuleType, settings: dict[str, Any]) -> Any:
    """Return a network with a rough landscape: invariance is not tested on a plain."""
    torch.manual_seed(1)
    network = module.build(module.Config(**settings))
    with torch.no_grad():
        for parameter in network.parameters():
            if parameter.ndim > 1:
                parameter.mul_(1.5)
    return network


def check_gradients(network: nn.Module, loss: Tensor) -> None:
    """Check that a loss reaches every parameter that can be trained."""
    torch.autograd.backward(loss)
    missed = [
        name
        for name, p in network.named_parameters()
        if p.requires_grad and (p.grad is None or not torch.isfinite(p.grad).all())
    ]
    assert missed == []


def draw(*shape: int, seed: int = 2) -> Tensor:
    """Return numbers of a normal density, always the same."""
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))
