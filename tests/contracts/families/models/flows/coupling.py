"""One affine coupling: half of the numbers are scaled and moved as the others say."""

from typing import Any, Literal

from apps.science.models.flows.base import FlowConfig


class Config(FlowConfig):
    kind: Literal["coupling"] = "coupling"


def build(config: Config) -> Any:
    import torch
    from torch import nn

    from apps.science.models.flows.network import Flow

    class Coupling(Flow):
        def __init__(self) -> None:
            super().__init__()
            self.net = nn.Sequential(nn.Linear(3, 8), nn.Tanh(), nn.Linear(8, 4))

        def _read(self, kept, given):
            found = self.net(torch.cat([kept, given["angle"]], dim=1))
            scale, shift = found.chunk(2, dim=1)
            return torch.tanh(scale), shift

        def to_data(self, latent, given):
            kept, moved = latent.chunk(2, dim=1)
            scale, shift = self._read(kept, given)
            data = torch.cat([kept, moved * scale.exp() + shift], dim=1)
            return data, scale.sum(dim=1)

        def to_latent(self, data, given):
            kept, moved = data.chunk(2, dim=1)
            scale, shift = self._read(kept, given)
            latent = torch.cat([kept, (moved - shift) * (-scale).exp()], dim=1)
            return latent, -scale.sum(dim=1)

    return Coupling()
