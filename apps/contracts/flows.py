"""The contract of a flow: what training by likelihood and sampling rely on."""

from types import ModuleType
from typing import Any, ClassVar

import pytest
import torch
from torch import Tensor

from apps.contracts.networks import NetworkContract, check_gradients, draw
from apps.science.models.flows.base import PACKAGE

N_SAMPLES = 6
Given = dict[str, Tensor]


class FlowContract(NetworkContract):
    """An invertible map. Overrides: ``kind``, ``settings``, ``latent``, ``given``."""

    package: ClassVar[str] = PACKAGE

    @pytest.fixture
    def latent(self) -> Tensor:
        """Return what it maps, a row each of N_SAMPLES."""
        return draw(N_SAMPLES, 4)

    @pytest.fixture
    def given(self) -> Given:
        """Return what each is conditioned on."""
        return {}

    def test_each_map_is_the_inverse_of_the_other(
        self, network: Any, latent: Tensor, given: Given
    ) -> None:
        data, stretch = network.to_data(latent, given)
        back, shrink = network.to_latent(data, given)
        assert data.shape == latent.shape
        assert stretch.shape == shrink.shape == (len(latent),)
        assert (data - latent).abs().max() > 1e-3
        torch.testing.assert_close(back, latent, rtol=1e-4, atol=1e-4)
        torch.testing.assert_close(shrink, -stretch, rtol=1e-4, atol=1e-4)

    def test_the_stretch_is_that_of_the_jacobian(
        self, network: Any, latent: Tensor, given: Given
    ) -> None:
        one = {name: value[:1] for name, value in given.items()}

        def flat(row: Tensor) -> Tensor:
            mapped: Tensor = network.to_data(row.reshape(latent[:1].shape), one)[0]
            return mapped.flatten()

        jacobian = torch.func.jacrev(flat)(latent[0].flatten())
        expected = torch.linalg.slogdet(jacobian).logabsdet
        found = network.to_data(latent[:1], one)[1][0]
        torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-4)

    def test_a_sample_does_not_depend_on_its_company(
        self, network: Any, latent: Tensor, given: Given
    ) -> None:
        one = {name: value[3:4] for name, value in given.items()}
        for all_of_it, alone in zip(
            network.to_data(latent, given),
            network.to_data(latent[3:4], one),
            strict=True,
        ):
            torch.testing.assert_close(alone, all_of_it[3:4], rtol=1e-5, atol=1e-5)

    def test_a_likelihood_reaches_every_trainable_parameter(
        self, module: ModuleType, network: Any, latent: Tensor, given: Given
    ) -> None:
        back, shrink = network.to_latent(latent, given)
        check_gradients(network, back.square().mean() - shrink.mean())
