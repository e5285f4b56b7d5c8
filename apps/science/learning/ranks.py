"""The processes that train together: those of a meeting, or this one alone.

Gradients are summed here and not by DistributedDataParallel: losses may take gradients
inside the forward pass, models are small, and one flat sum carries the losses and the
stop flag along. What they tell each other is tensors, and plain values
that are read without running code.
"""

import io
import logging
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, TypeVar

import numpy as np
import torch
import torch.distributed
from torch import Tensor

from apps.science.arrays import IntArray
from apps.science.device import choose_device
from apps.science.errors import WeftError
from apps.science.learning.meeting import Place, read_place

T = TypeVar("T")

_log = logging.getLogger(__name__)

_MEET: Final = timedelta(minutes=10)
"""How long the first to come waits for the last, which may still import torch."""


_GONE: Final = "Another process of this training is gone"


class LeftAloneError(WeftError):
    """Another process of this training is gone; that one tells why."""


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

    def sum_gradients(
        self, parameters: Sequence[torch.nn.Parameter], extras: Tensor
    ) -> Tensor:
        """Sum gradients, and ``extras``, over the processes; return the extras."""
        if self.size == 1:
            return extras
        grads = [torch.zeros_like(p) if p.grad is None else p.grad for p in parameters]
        flat = torch.cat([*(g.reshape(-1) for g in grads), extras])
        with _together():
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
            with _together():
                torch.distributed.all_reduce(values)
        return values

    def decide(self, flag: bool) -> bool:
        """Return the first process's ``flag`` on every process."""
        if self.size == 1:
            return flag
        told = torch.tensor([float(flag)], device=self.device)
        with _together():
            torch.distributed.broadcast(told, src=0)
        return bool(told.item())

    def tell(self, value: T) -> T:
        """Return the first process's plain value or tensors on every process."""
        if self.size == 1:
            return value
        # torch's own broadcast_object_list would unpickle what comes over the network
        packed = io.BytesIO()
        if self.is_first:
            torch.save(value, packed)
        words = np.frombuffer(packed.getvalue(), dtype=np.uint8).copy()
        length = torch.tensor([len(words)], device=self.device)
        with _together():
            torch.distributed.broadcast(length, src=0)
            sent = torch.as_tensor(words, device=self.device)
            if not self.is_first:
                sent = torch.empty(
                    int(length.item()), dtype=torch.uint8, device=self.device
                )
            torch.distributed.broadcast(sent, src=0)
        if self.is_first:
            return value
        told: T = torch.load(
            io.BytesIO(sent.cpu().numpy().tobytes()),
            map_location="cpu",
            weights_only=True,
        )
        return told


def choose_own_device(name: str) -> str:
    """Return a torch device name; ``cuda`` is this process's GPU of several."""
    name = choose_device(name)
    if name == "cuda":
        n_gpus = max(1, torch.cuda.device_count())
        return f"cuda:{int(os.environ.get('LOCAL_RANK', '0')) % n_gpus}"
    return name


@contextmanager
def _together(words: str = _GONE) -> Iterator[None]:
    """Say in words that processes do not reach each other."""
    try:
        yield
    except RuntimeError as error:
        raise LeftAloneError(f"{words} ({str(error).splitlines()[0]}).") from None


@contextmanager
def join_ranks(device: str) -> Iterator[Ranks]:
    """Join the meeting that this process was started for, if there is one.

    Raises
    ------
    LeftAloneError
        If not all come, or one goes before the end.
    """
    where, place = choose_own_device(device), read_place()
    if where.startswith("cuda"):
        torch.cuda.set_device(where)
    if place.folder is None:
        yield Ranks(0, 1, where)
        return
    with _together("The processes of this training cannot meet"):
        _meet(place, where)
    _log.info("training in %d processes, this one on %s", place.size, where)
    yield Ranks(place.rank, place.size, where)
    with _together():
        torch.distributed.barrier()  # the first may still write
    torch.distributed.destroy_process_group()


def _meet(place: Place, where: str) -> None:
    """Make the process group, through a file that only this user reads.

    torchrun's stores listen on every network interface, and some unpickle what comes.
    """
    store = torch.distributed.FileStore(  # type: ignore[attr-defined]
        f"{place.folder}/store", place.size
    )
    store.set_timeout(_MEET)
    torch.distributed.init_process_group(
        "nccl" if where != "cpu" else "gloo",
        store=store, rank=place.rank, world_size=place.size,
    )  # fmt: skip
