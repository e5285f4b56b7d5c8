"""Train a model with torchrun: one process here, DDP where a site gives more."""

from pathlib import Path
from typing import Any

from parsl import bash_app

from apps.roles import TRAIN


@bash_app(executors=[TRAIN])
def train_model(
    config: Path, n_processes: int, stage: str,
    stdout: tuple[str, str], stderr: tuple[str, str], inputs: tuple[Any, ...] = (),
) -> str:  # fmt: skip
    """Train as the YAML file ``config`` says; resumes from its last checkpoint."""
    import os
    import shlex
    import sys

    command = [
        sys.executable, "-m", "apps.timed_command", stage, str(os.getpid()),
        str(config.with_name("unfinished")), "--",
        sys.executable, "-m", "torch.distributed.run", "--standalone",
        "--nnodes", "1", "--nproc-per-node", str(n_processes),
        "-m", "apps.science.training", str(config),
    ]  # fmt: skip
    return shlex.join(command)
