"""Prepare the system and name its beads."""

from pathlib import Path
from typing import Any

from parsl import python_app

from apps.roles import MD
from apps.task_log import logged


@python_app(executors=[MD])
@logged(MD)
def prepare_system(
    config: str, seed: int, system: Path, mapping: Path,
    stage: str = "prepare", inputs: tuple[Any, ...] = (),
) -> Path:  # fmt: skip
    """Build ``system`` from a SystemConfig in JSON, and the bead mapping beside it."""
    from apps.science.cg.mapping import build_mapping
    from apps.science.systems.config import SystemConfig
    from apps.science.systems.info import PROTEIN_PDB, SYSTEM_JSON
    from apps.science.systems.prepare import prepare_system as prepare

    asked = SystemConfig.model_validate_json(config)
    prepare(asked, seed, system)
    beads = build_mapping(system / PROTEIN_PDB, system / SYSTEM_JSON, asked.beads)
    return beads.write(mapping)
