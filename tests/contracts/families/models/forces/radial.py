"""Forces along the lines between particles, learnt as a function of the distance."""

from typing import Any, Literal

from apps.science.models.forces.base import ForcesConfig


class Config(ForcesConfig):
    kind: Literal["radial"] = "radial"


def build(config: Config) -> Any:
    import torch
    from torch import nn

    from apps.science.models.forces.network import Forces

    class Radial(Forces):
        def __init__(self) -> None:
            super().__init__()
            self.types = nn.Embedding(2, 8)
            self.distance = nn.Linear(1, 8)
            self.out = nn.Linear(8, 1)

        def forces(self, positions, types, box=None):
            apart = positions[:, :, None] - positions[:, None]
            if box is not None:
                edges = box[:, None, None]
                apart = apart - edges * torch.round(apart / edges)
            far = (apart.square().sum(-1, keepdim=True) + 1e-9).sqrt()
            kinds = self.types(types)[:, None] * self.types(types)
            size = self.out(torch.tanh(self.distance(far)) * kinds)
            near = (1 - far / config.cutoff_angstrom).clamp(min=0) ** 2
            return (size * near * apart / far).sum(dim=2)

    return Radial()
