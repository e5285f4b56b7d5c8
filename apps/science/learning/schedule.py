"""The optimiser, the course of the learning rate, and the weights' moving average.

The average's arithmetic is torch's (``swa_utils``); its ``AveragedModel`` is not used,
which takes the first step's weights as they are and keeps a second network. Nor are
torch's ``lr_scheduler``: they make each rate from the one before, so that a cosine
differs in its last digits from the same cosine in closed form, and a rate cannot be
asked for a step by its number alone, as resuming does.
"""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import get_ema_multi_avg_fn

from apps.science.learning.config import LoopConfig


def build_optimiser(network: nn.Module, config: LoopConfig) -> torch.optim.AdamW:
    """Return AdamW without decay on biases, embeddings and the radial basis."""
    decayed: list[nn.Parameter] = []
    free: list[nn.Parameter] = []
    embeddings = {
        id(p)
        for m in network.modules()
        if isinstance(m, nn.Embedding)
        for p in m.parameters()
    }
    for parameter in network.parameters():
        if not parameter.requires_grad:
            continue
        # Biases and radial functions are the only vectors among the parameters.
        plain = parameter.ndim < 2 or id(parameter) in embeddings
        (free if plain else decayed).append(parameter)
    groups = [
        {"params": decayed, "weight_decay": config.weight_decay},
        {"params": free, "weight_decay": 0.0},
    ]
    # Every step is given its rate; see LearningRate.
    rate = config.learning_rate_min if config.learning_rate == "auto" else None
    return torch.optim.AdamW(
        [g for g in groups if g["params"]], lr=read_rate(config, rate), fused=True
    )


def read_rate(config: LoopConfig, found: float | None = None) -> float:
    """Return the largest rate: as written, or as ``found`` where it is ``auto``."""
    if config.learning_rate != "auto":
        return config.learning_rate
    assert found is not None
    return found


class LearningRate:
    """Warm-up, then cosine, plateau or constant; its state is a few numbers.

    Parameters
    ----------
    n_steps : over which it runs
    highest : in place of the configuration's
    """

    def __init__(
        self, config: LoopConfig, n_steps: int, highest: float | None = None
    ) -> None:
        self._config, self._n_steps = config, n_steps
        self._high = read_rate(config) if highest is None else highest
        self._factor, self._best, self._stalled = 1.0, math.inf, 0

    def at(self, step: int) -> float:
        """Return the rate of optimiser step ``step``, from zero."""
        config = self._config
        low, high = config.learning_rate_min, self._high
        warmup = min(config.warmup_steps, self._n_steps // 10)
        if step < warmup:
            return high * (step + 1) / (warmup + 1)
        if config.schedule == "cosine":
            done = (step - warmup) / max(1, self._n_steps - warmup)
            low = min(low, high)
            return low + 0.5 * (high - low) * (1.0 + math.cos(math.pi * min(done, 1.0)))
        if config.schedule == "plateau":
            return max(min(low, high), high * self._factor)
        return high

    def finish_epoch(self, loss: float) -> None:
        """Note an epoch's validation loss; a stalled one lowers a plateau's rate."""
        if loss < self._best:
            self._best, self._stalled = loss, 0
            return
        self._stalled += 1
        if self._stalled >= self._config.plateau_patience:
            self._factor *= self._config.plateau_factor
            self._stalled = 0

    def state_dict(self) -> dict[str, Any]:
        """Return plain numbers."""
        return {"factor": self._factor, "best": self._best, "stalled": self._stalled}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take up where ``state_dict`` was called."""
        self._factor, self._best = float(state["factor"]), float(state["best"])
        self._stalled = int(state["stalled"])


class MovingAverage:
    """Exponential moving average of the trainable weights."""

    def __init__(self, network: nn.Module, decay: float) -> None:
        self._decay = decay
        self._network = network
        live = {n: p for n, p in network.named_parameters() if p.requires_grad}
        self._live: list[Tensor] = list(live.values())
        self._shadow = {name: p.detach().clone() for name, p in live.items()}

    def update(self, step: int) -> None:
        """Take in the weights after optimiser step ``step``, from zero."""
        # Early on the average forgets faster, or it would remember the start.
        decay = min(self._decay, (1.0 + step) / (10.0 + step))
        if self._decay == 0.0:
            return
        take_in = get_ema_multi_avg_fn(decay)  # type: ignore[no-untyped-call]
        take_in(list(self._shadow.values()), self._live, None)

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Put the averaged weights into the network, and the live ones back."""
        if self._decay == 0.0:
            yield
            return
        live = dict(self._network.named_parameters())
        kept = {name: live[name].detach().clone() for name in self._shadow}
        try:
            with torch.no_grad():
                for name, value in self._shadow.items():
                    live[name].copy_(value)
            yield
        finally:
            with torch.no_grad():
                for name, value in kept.items():
                    live[name].copy_(value)

    def state_dict(self) -> dict[str, Tensor]:
        """Return the averaged weights."""
        return dict(self._shadow)

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Take up where ``state_dict`` was called."""
        for name, value in self._shadow.items():
            value.copy_(state[name])
