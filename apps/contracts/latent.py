"""The contract of a model with a latent space: what training and mapping rely on."""

from typing import Any, ClassVar

import pytest
import torch
from torch import Tensor

from apps.contracts.networks import NetworkContract, check_gradients, draw
from apps.science.models.latent.base import PACKAGE

N_SAMPLES = 6


class LatentContract(NetworkContract):
    """An encoder and a decoder. Overrides: ``kind``, ``settings``, ``data``."""

    package: ClassVar[str] = PACKAGE

    @pytest.fixture
    def data(self) -> Tensor:
        """Return what it encodes, a row each of N_SAMPLES."""
        return draw(N_SAMPLES, 8)

    def test_data_become_a_few_numbers_with_a_spread_and_data_again(
        self, network: Any, data: Tensor
    ) -> None:
        mean, log_variance = network.encode(data)
        assert mean.shape == log_variance.shape
        assert mean.ndim == 2
        assert len(mean) == len(data)
        assert mean.shape[1] < data[0].numel()
        decoded = network.decode(mean)
        assert decoded.shape == data.shape
        for found in (mean, log_variance, decoded):
            assert torch.isfinite(found).all()

    def test_nothing_in_it_is_random(self, network: Any, data: Tensor) -> None:
        network.eval()
        for one, two in zip(network.encode(data), network.encode(data), strict=True):
            assert torch.equal(one, two)

    def test_a_sample_does_not_depend_on_its_company(
        self, network: Any, data: Tensor
    ) -> None:
        network.eval()
        mean, _ = network.encode(data)
        alone, _ = network.encode(data[3:4])
        torch.testing.assert_close(alone, mean[3:4], rtol=1e-5, atol=1e-5)
        torch.testing.assert_close(
            network.decode(mean[3:4]), network.decode(mean)[3:4], rtol=1e-5, atol=1e-5
        )

    def test_a_loss_reaches_every_trainable_parameter(
        self, network: Any, data: Tensor
    ) -> None:
        mean, log_variance = network.encode(data)
        decoded = network.decode(mean + torch.exp(0.5 * log_variance))
        check_gradients(network, (decoded - data).square().mean() + mean.square().sum())
