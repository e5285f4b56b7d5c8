"""Train a model: one process here, several where a site gives more."""

from pathlib import Path
from typing import Any

from parsl import python_app

from apps.roles import TRAIN


@python_app(executors=[TRAIN])
def train_model(
    config: Path, n_processes: int | None, log_file: Path,
    stage: str = "train", inputs: tuple[Any, ...] = (),
) -> Path:  # fmt: skip
    """Train as the YAML file ``config`` says; resumes from its last checkpoint."""
    from apps.science.learning.launch import training_command
    from apps.science.learning.meeting import clear_meetings
    from apps.timed_command import run_command

    clear_meetings(config.parent)
    unfinished = config.with_name("unfinished")
    command = training_command(config, n_processes)
    run_command("training", command, unfinished, log_file, stage)
    return config
