"""On the worker, before its first task: one GPU, and a scratch folder of its own.

Parsl can pin workers too, but it sets the variables of every maker at once, and on
AMD GPUs two filters on top of each other leave none (Parsl issue 3858); it also counts
from 0 where the scheduler granted GPUs 2 and 3.
"""

import os
import socket
from collections.abc import Callable, MutableMapping
from pathlib import Path
from typing import Any

VISIBLE = {
    "cuda": "CUDA_VISIBLE_DEVICES",
    "rocm": "ROCR_VISIBLE_DEVICES",
    "xpu": "ZE_AFFINITY_MASK",
}
# These filter what ROCR_VISIBLE_DEVICES has left, by new numbers.
_AFTER_ROCR = ("HIP_VISIBLE_DEVICES", "CUDA_VISIBLE_DEVICES", "GPU_DEVICE_ORDINAL")

NODE_GPUS_VARIABLE = "WEFT_NODE_GPUS"
"""All GPUs of the block on this node, for tasks that use more than one."""

_done = False


def run_set_up(
    setup: tuple[str, int, int], task: Callable[..., Any], *args: Any, **kwargs: Any
) -> Any:
    """Run ``task`` on a worker that is set up; ``setup`` is that of ``pin_worker``."""
    global _done  # noqa: PLW0603 - one worker process, set up once
    if not _done:
        pin_worker(os.environ, *setup)
        take_scratch(os.environ)
        _done = True
    return task(*args, **kwargs)


def run_in_environment(
    environment: dict[str, str], task: Callable[..., Any], *args: Any, **kwargs: Any
) -> Any:
    """Run ``task`` with the variables of a run, on workers of an endpoint."""
    os.environ.update(environment)
    return task(*args, **kwargs)


def pin_worker(
    environ: MutableMapping[str, str],
    accelerator: str,
    gpus_per_node: int,
    workers_per_node: int,
) -> None:
    """Leave this worker its part of the GPUs that its block was granted.

    That is one, which others may share, or several where workers are fewer.
    """
    if not gpus_per_node:
        return
    variable = VISIBLE[accelerator]
    granted = environ.get(variable) or ",".join(str(i) for i in range(gpus_per_node))
    devices = granted.split(",")
    rank = int(environ.get("PARSL_WORKER_RANK", "0"))
    environ[NODE_GPUS_VARIABLE] = granted
    first = rank * gpus_per_node // workers_per_node
    end = max(first + 1, (rank + 1) * gpus_per_node // workers_per_node)
    mine = {devices[i % len(devices)]: None for i in range(first, end)}
    environ[variable] = ",".join(mine)
    if accelerator == "rocm":
        for later in _AFTER_ROCR:
            environ.pop(later, None)
    if accelerator == "xpu":
        environ["ZE_ENABLE_PCI_ID_DEVICE_ORDER"] = "1"


def take_scratch(environ: MutableMapping[str, str]) -> None:
    """Make WEFT_SCRATCH a folder that no other worker of any node uses.

    Raises
    ------
    OSError
        If it cannot be made.
    """
    scratch = environ.get("WEFT_SCRATCH")
    if scratch:
        node = environ.get("SLURMD_NODENAME") or socket.gethostname()
        own = Path(scratch) / f"{node}-worker-{environ.get('PARSL_WORKER_RANK', '0')}"
        try:
            own.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OSError(
                f"The scratch folder {scratch} of the site file cannot be used on "
                f"{node}: {error}."
            ) from None
        environ["WEFT_SCRATCH"] = str(own)
