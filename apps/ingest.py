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


@python_app(executors=[ANALYSIS])
@logged(ANALYSIS)
def weigh_equilibrium(
    we_folder: Path, segments: Path, config: str, seed: int,
    stage: str = "ingest", inputs: tuple[Any, ...] = (),
) -> Path:  # fmt: skip
    """Store equilibrium weights beside the raw ones, where there is enough for them.

    ``config`` is an EquilibriumConfig as JSON.
    """
    from apps.science.errors import ConfigError
    from apps.science.segments.equilibrium import EquilibriumConfig, log
    from apps.science.segments.equilibrium_store import write_equilibrium_weights
    from apps.science.we.spec import read_spec

    spec = read_spec(we_folder / "propagation.json")
    try:
        write_equilibrium_weights(
            segments, spec.build_pcoord().compute,
            EquilibriumConfig.model_validate_json(config),
            seed, str(spec.pcoord["kind"]),
        )  # fmt: skip
    except ConfigError as error:  # a short run: raw weights are all there is
        log.warning("no equilibrium weights: %s", error)
    return segments
