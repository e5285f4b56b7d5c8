"""Build, minimise and equilibrate the system."""

from pathlib import Path
from typing import Any

from parsl import python_app

from apps.roles import MD
from apps.task_log import logged


@python_app(executors=[MD])
@logged(MD)
def prepare_system(
    config: str, seed: int, system: Path,
    stage: str = "prepare", inputs: tuple[Any, ...] = (),
) -> Path:  # fmt: skip
    """Build the folder ``system`` from a SystemConfig in JSON."""
    from apps.science.systems.config import SystemConfig
    from apps.science.systems.prepare import prepare_system as prepare

    return prepare(SystemConfig.model_validate_json(config), seed, system)
