"""Train a model with torchrun: one process here, DDP where a site gives more."""

from pathlib import Path
from typing import Any

from parsl import bash_app

from apps.roles import TRAIN


@bash_app(executors=[TRAIN])
def train_model(
    config: Path, n_processes: int | None, stage: str,
    stdout: tuple[str, str], stderr: tuple[str, str], inputs: tuple[Any, ...] = (),
) -> str:  # fmt: skip
    """Train as the YAML file ``config`` says; resumes from its last checkpoint."""
    import os
    import shlex
    import sys

    from apps.science.training.launch import torchrun_command

    command = [
        sys.executable, "-m", "apps.timed_command", stage, str(os.getpid()),
        str(config.with_name("unfinished")), "--",
        *torchrun_command(config, n_processes),
    ]  # fmt: skip
    return shlex.join(command)
