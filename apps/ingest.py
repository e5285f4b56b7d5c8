"""Join finished WE iterations with their weights."""

from pathlib import Path
from typing import Any

from parsl import python_app

from apps.roles import ANALYSIS
from apps.task_log import logged


@python_app(executors=[ANALYSIS])
@logged(ANALYSIS)
def ingest_iterations(
    we_folder: Path, out: Path, upto: int, weight_cutoff: float,
    stage: str = "ingest", inputs: tuple[Any, ...] = (),
) -> Path:  # fmt: skip
    """Append the closed iterations up to ``upto`` that ``out`` lacks."""
    from apps.science.segments.ingest import ingest

    return ingest(we_folder, out, upto, weight_cutoff)
