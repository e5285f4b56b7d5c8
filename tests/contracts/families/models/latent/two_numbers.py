"""A variational autoencoder of eight numbers by two."""

from typing import Any, Literal

from apps.science.models.latent.base import LatentConfig


class Config(LatentConfig):
    kind: Literal["two_numbers"] = "two_numbers"


def build(config: Config) -> Any:
    from torch import nn

    from apps.science.models.latent.network import Latent

    class TwoNumbers(Latent):
        def __init__(self) -> None:
            super().__init__()
            self.encoder = nn.Sequential(nn.Linear(8, 8), nn.Tanh(), nn.Linear(8, 4))
            self.decoder = nn.Sequential(nn.Linear(2, 8), nn.Tanh(), nn.Linear(8, 8))

        def encode(self, data):
            return self.encoder(data).chunk(2, dim=1)

        def decode(self, latent):
            return self.decoder(latent)

    return TwoNumbers()
