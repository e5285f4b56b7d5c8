"""One BAOAB step in place, and on a GPU as a CUDA graph: one launch a step."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

N_WARM_UP = 3
"""Steps before recording, so that libraries have made what they keep."""


@dataclass
class Pack:
    """Live replicas; a graph reads and writes these very tensors.

    Attributes
    ----------
    x, v, force : (R, n_beads, 3), Angstrom, Angstrom/ps, kcal/mol/Angstrom
    keys : (R,), int64, of the noise
    heat : (R,), by how much a replica's noise is stronger
    step : (), int64, steps done
    """

    x: Tensor
    v: Tensor
    force: Tensor
    keys: Tensor
    heat: Tensor
    step: Tensor

    def take(self, rows: Tensor) -> "Pack":
        """Return the chosen replicas."""
        return Pack(
            self.x[rows], self.v[rows], self.force[rows], self.keys[rows],
            self.heat[rows], self.step,
        )  # fmt: skip

    def copy_from(self, other: "Pack") -> None:
        """Take over the values of another pack of this size."""
        for name, value in vars(self).items():
            value.copy_(getattr(other, name))

    def clone(self) -> "Pack":
        """Return a copy of all tensors."""
        return Pack(**{name: value.clone() for name, value in vars(self).items()})


@dataclass(frozen=True)
class Constants:
    """Of a step: (1, n_beads, 1) tensors and plain numbers, as in ``run_packed``."""

    half_kick: Tensor
    spread: Tensor
    half_drift: float
    decay: float


def advance(
    pack: Pack,
    forces: Callable[[Tensor], Tensor],
    constants: Constants,
    noise: Tensor,
) -> None:
    """Advance a pack by a step, in place.

    Parameters
    ----------
    forces : of positions (R, n_beads, 3)
    noise : (R, n_beads, 3), Angstrom/ps, already spread
    """
    pack.v.add_(constants.half_kick * pack.force)
    pack.x.add_(pack.v, alpha=constants.half_drift)
    pack.v.mul_(constants.decay).add_(noise)
    pack.x.add_(pack.v, alpha=constants.half_drift)
    pack.force.copy_(forces(pack.x))
    pack.v.add_(constants.half_kick * pack.force)
    pack.step.add_(1)


def record(pack: Pack, step: Callable[[Pack], None]) -> Callable[[], None]:
    """Return what advances ``pack`` by a step each time it is called, as a CUDA graph.

    Parameters
    ----------
    step : advances a pack in place, with no look at the device
    """
    before = pack.clone()
    side = torch.cuda.Stream(pack.x.device)  # type: ignore[no-untyped-call]
    side.wait_stream(torch.cuda.current_stream(pack.x.device))
    with torch.cuda.stream(side):
        for _ in range(N_WARM_UP):
            step(pack)
    torch.cuda.current_stream(pack.x.device).wait_stream(side)
    pack.copy_from(before)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        step(pack)
    # recording computes nothing, so the pack is still where it was
    replay: Callable[[], None] = graph.replay
    return replay
