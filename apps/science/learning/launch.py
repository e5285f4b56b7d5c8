"""The command of a training job: one process, several on a node, or on many nodes.

A block that a task spans says so in its environment: the number of its nodes, how many
processes each takes, and the scheduler's own command that starts one on each.
"""

import os
import secrets
import shlex
from collections.abc import Mapping
from pathlib import Path

from apps.science.errors import ConfigError
from apps.science.learning.meeting import PREFIX, PYTHON

NODES_VARIABLE = "WEFT_BLOCK_NODES"
PROCESSES_VARIABLE = "WEFT_PROCESSES_PER_NODE"
ON_EACH_NODE_VARIABLE = "WEFT_ON_EACH_NODE"

_VISIBLE = ("CUDA_VISIBLE_DEVICES", "ROCR_VISIBLE_DEVICES", "ZE_AFFINITY_MASK")


def training_command(
    config: Path, n_processes: int | None, environ: Mapping[str, str] = os.environ
) -> list[str]:
    """Return the command that trains as ``config`` says.

    Parameters
    ----------
    n_processes : over all nodes; None starts one per GPU that this task has, or one
        per slot of the nodes that it spans, or one

    Raises
    ------
    ConfigError
        If the processes do not spread evenly over the nodes.
    """
    n_nodes = int(environ.get(NODES_VARIABLE, "1"))
    per_node = _count_per_node(n_processes, n_nodes, environ)
    if n_nodes == per_node == 1:
        return [*PYTHON, "apps.science.learning", str(config)]
    start = [
        *PYTHON, "apps.science.learning.start_ranks", str(config),
        "--per-node", str(per_node),
    ]  # fmt: skip
    if n_nodes == 1:
        return start
    prefix = shlex.split(environ[ON_EACH_NODE_VARIABLE])
    # a name that nobody can guess, new for each start
    meeting = config.with_name(f"{PREFIX}{secrets.token_hex(16)}")
    return [*prefix, *start, "--nodes", str(n_nodes), "--meeting", str(meeting)]


def _count_per_node(
    n_processes: int | None, n_nodes: int, environ: Mapping[str, str]
) -> int:
    if n_processes is None:
        slots = environ.get(PROCESSES_VARIABLE)
        return int(slots) if slots else _count_gpus(environ)
    if n_processes % n_nodes:
        raise ConfigError(
            f"n_train_processes is {n_processes}, which does not spread evenly over "
            f"the {n_nodes} nodes of a block. Make it a multiple, or leave it out."
        )
    return n_processes // n_nodes


def _count_gpus(environ: Mapping[str, str]) -> int:
    """Return the GPUs that this worker was given, at least 1."""
    given = next((environ[name] for name in _VISIBLE if environ.get(name)), "")
    return max(1, len([device for device in given.split(",") if device]))
