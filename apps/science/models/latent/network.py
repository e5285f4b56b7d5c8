"""What every model with a latent space is to others: an encoder and a decoder."""

from abc import abstractmethod

from torch import Tensor, nn


class Latent(nn.Module):
    """Encodes data by a normal density each, and decodes points of the latent space.

    Nothing in it is random: whoever trains draws from the density. In ``eval`` mode a
    row depends on its own alone.
    """

    @abstractmethod
    def encode(self, data: Tensor) -> tuple[Tensor, Tensor]:
        """Return mean and log variance, (n, n_latent) each, of ``data``, (n, ...)."""

    @abstractmethod
    def decode(self, latent: Tensor) -> Tensor:
        """Return data, (n, ...), of ``latent``, (n, n_latent)."""
