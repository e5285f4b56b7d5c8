"""The processes that train together: torchrun's environment, or this one alone.

Gradients are summed here and not by DistributedDataParallel: force matching takes
gradients inside the forward pass, models are small, and one flat sum carries the
losses and the stop flag along.
"""

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import torch
import torch.distributed
from torch import Tensor

from apps.science.arrays import IntArray

T = TypeVar("T")

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Ranks:
    """Where this process stands among all.

    Attributes
    ----------
    device : where this process computes
    """

    rank: int
    size: int
    device: str

    @property
    def is_first(self) -> bool:
        """Say whether this process writes files and decides."""
        return self.rank == 0

    def share(self, n: int) -> IntArray:
        """Return this process's places among ``n``; no place is another's too."""
        return np.arange(self.rank, n, self.size)

    def sum_gradients(self, network: torch.nn.Module, extras: Tensor) -> Tensor:
        """Sum every gradient, and ``extras``, over the processes; return the extras."""
        if self.size == 1:
            return extras
        parameters = [p for p in network.parameters() if p.requires_grad]
        grads = [torch.zeros_like(p) if p.grad is None else p.grad for p in parameters]
        flat = torch.cat([*(g.reshape(-1) for g in grads), extras])
        torch.distributed.all_reduce(flat)
        start = 0
        for parameter, grad in zip(parameters, grads, strict=True):
            end = start + grad.numel()
            parameter.grad = flat[start:end].view_as(grad).clone()
            start = end
        return flat[start:]

    def sum(self, values: Tensor) -> Tensor:
        """Sum ``values`` over the processes."""
        if self.size > 1:
            torch.distributed.all_reduce(values)
        return values

    def decide(self, flag: bool) -> bool:
        """Return the first process's ``flag`` on every process."""
        if self.size == 1:
            return flag
        told = torch.tensor([float(flag)], device=self.device)
        torch.distributed.broadcast(told, src=0)
        return bool(told.item())

    def tell(self, value: T) -> T:
        """Return the first process's plain value or tensors on every process."""
        if self.size == 1:
            return value
        box = [value]
        where = torch.device(self.device)
        torch.distributed.broadcast_object_list(box, src=0, device=where)
        return box[0]


def choose_device(name: str) -> str:
    """Return a torch device name; ``auto`` is this process's GPU where there is one."""
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if name == "cuda":
        n_gpus = max(1, torch.cuda.device_count())
        return f"cuda:{int(os.environ.get('LOCAL_RANK', '0')) % n_gpus}"
    return name


@contextmanager
def join_ranks(device: str) -> Iterator[Ranks]:
    """Join the process group that torchrun's environment names, if there is one."""
    where = choose_device(device)
    size = int(os.environ.get("WORLD_SIZE", "1"))
    if where.startswith("cuda"):
        torch.cuda.set_device(where)
    if size == 1:
        yield Ranks(0, 1, where)
        return
    torch.distributed.init_process_group("nccl" if where != "cpu" else "gloo")
    _log.info("training in %d processes, this one on %s", size, where)
    try:
        yield Ranks(int(os.environ["RANK"]), size, where)
        torch.distributed.barrier()  # the first may still write
    finally:
        torch.distributed.destroy_process_group()
