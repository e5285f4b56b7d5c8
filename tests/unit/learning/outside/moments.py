"""A task from outside weft: normal numbers drawn against a critic of their moments.

A generator draws x = mean + spread z, z standard normal, in each dimension; a critic
scores f(x) = a x + b x^2. The critic wants its mean score of the data above that of
what is drawn, less (a^2 + b^2) / 2; the generator wants them alike. At the saddle point
the critic is zero, and mean and spread are those of the data.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from pydantic import Field
from torch import Tensor, nn

from apps.science.arrays import IntArray
from apps.science.files import hash_file
from apps.science.learning import config, task
from apps.science.learning.ranks import Ranks
from apps.science.learning.schedule import build_optimiser
from apps.science.learning.task import Part, Share
from apps.science.seeds import derive_seed


class Job(config.Job):
    """Learn the moments of a table of numbers."""

    data: Path = Field(description="Samples, (n, n_dim), a .npy file.")


class Moments(nn.Module):
    """The generator and its critic."""

    def __init__(self, n_dim: int) -> None:
        super().__init__()
        self.generator = nn.ParameterDict(
            {"mean": torch.zeros(n_dim), "spread": torch.rand(n_dim) + 0.5}
        )
        self.critic = nn.Linear(2 * n_dim, 1, bias=False)

    def score(self, x: Tensor) -> Tensor:
        """Return f of each sample, (n,)."""
        return self.critic(torch.cat([x, x.square()], dim=1)).squeeze(1)

    def draw(self, z: Tensor) -> Tensor:
        """Return samples, (n, n_dim)."""
        return self.generator["mean"] + self.generator["spread"] * z


class Task(task.Task):
    """Two parts: the critic, and the generator in every second step."""

    columns: ClassVar[Sequence[str]] = ("val_loss", "critic")
    job: Job

    def __init__(self, job: Job, ranks: Ranks) -> None:
        super().__init__(job, ranks)
        samples = torch.from_numpy(np.load(job.data)).float().to(ranks.device)
        self.train, self.held_out = samples[::2], samples[1::2]
        self.n_samples = len(self.train)
        self.n_batches = -(-self.n_samples // job.training.batch_size)

    def build(self) -> Moments:
        return Moments(self.train.shape[1])

    def parts(self, network: nn.Module) -> Sequence[Part]:
        assert isinstance(network, Moments)
        critic, drawer = network.critic, network.generator
        return [
            Part("critic", lambda: torch.optim.SGD(critic.parameters(), lr=1), rate=10),
            Part("drawer", lambda: build_optimiser(drawer, self.job.training), every=2),
        ]

    def batches(self, epoch: int) -> Sequence[IntArray]:
        rng = np.random.default_rng(derive_seed(self.job.seed, "samples", epoch))
        return np.array_split(rng.permutation(self.n_samples), self.n_batches)

    def loss(
        self, network: nn.Module, part: str, batch: IntArray, at: tuple[int, int]
    ) -> Iterator[Share]:
        assert isinstance(network, Moments)
        seed = derive_seed(self.job.seed, "drawn", *at)
        shape = (len(batch), self.train.shape[1])
        z = torch.randn(shape, generator=torch.Generator().manual_seed(seed))
        mine = torch.as_tensor(self.ranks.share(len(batch)))
        data = self.train[torch.as_tensor(batch)[mine]]
        drawn = network.draw(z[mine].to(data.device))
        above = network.score(data) - network.score(drawn)
        size = network.critic.weight.square().sum() / 2
        loss = above if part == "drawer" else size - above
        yield Share(loss.sum(), torch.tensor(float(len(mine)), device=loss.device))

    def validate(self, network: nn.Module, most: int | None) -> Mapping[str, float]:
        assert isinstance(network, Moments)
        held_out = self.held_out[:most]
        mine = held_out[torch.as_tensor(self.ranks.share(len(held_out)))].double()
        sums = torch.stack([mine.sum(dim=0), mine.square().sum(dim=0)])
        mean, square = self.ranks.sum(sums) / len(held_out)
        drawer = {n: p.detach().double() for n, p in network.generator.items()}
        off = [
            mean - drawer["mean"],
            square - drawer["mean"].square() - drawer["spread"].square(),
        ]
        return {
            "val_loss": float(torch.cat(off).square().sum()),
            "critic": float(network.critic.weight.detach().norm()),
        }

    def share_validated(self, most: int) -> float:
        return min(1.0, most / len(self.held_out))

    def identity(self) -> Mapping[str, Any]:
        return {"task": "moments", "data": hash_file(self.job.data)}

    def payload(self) -> Mapping[str, Any]:
        made_of = {"data": str(self.job.data)}
        return {"n_dim": self.train.shape[1], "provenance": made_of}
