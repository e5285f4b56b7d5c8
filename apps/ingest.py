"""Join finished WE iterations with their weights."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from parsl import python_app

from apps.roles import ANALYSIS
from apps.task_log import logged


@python_app(executors=[ANALYSIS])
@logged(ANALYSIS)
def verify_iterations(
    we_folder: Path, out: Path, first: int, last: int,
    stage: str = "ingest", inputs: tuple[Any, ...] = (),
) -> int:  # fmt: skip
    """Read the shards of some closed iterations and note that they are whole."""
    from apps.science.segments.verify import verify

    return verify(we_folder, out, first, last)


@python_app(executors=[ANALYSIS])
@logged(ANALYSIS)
def ingest_iterations(
    we_folder: Path, out: Path, upto: int, weight_cutoff: float,
    stage: str = "ingest", inputs: tuple[Any, ...] = (),
) -> Path:  # fmt: skip
    """Write the closed iterations up to ``upto``, verifying those that are not."""
    from apps.science.segments.ingest import ingest

    return ingest(we_folder, out, upto, weight_cutoff)


def ingest_in_parallel(
    we_folder: Path, out: Path, upto: int, weight_cutoff: float, n_tasks: int,
    stage: str = "ingest", inputs: Sequence[Any] = (),
) -> list[Any]:  # fmt: skip
    """Verify in ``n_tasks`` tasks, then join; return their futures, the join's last.

    What an earlier start verified is not read again. Look at all futures: what is
    wrong with a shard is said by the one that read it.
    """
    n_tasks = max(1, min(n_tasks, upto))
    ends = [upto * k // n_tasks for k in range(n_tasks + 1)]
    verified = [
        verify_iterations(
            we_folder, out, ends[k] + 1, ends[k + 1], stage=stage, inputs=[*inputs]
        )
        for k in range(n_tasks)
    ]
    joined = ingest_iterations(
        we_folder, out, upto, weight_cutoff, stage=stage, inputs=verified
    )
    return [*verified, joined]


@python_app(executors=[ANALYSIS])
@logged(ANALYSIS)
def weigh_equilibrium(
    we_folder: Path, segments: Path, config: str, seed: int,
    stage: str = "ingest", inputs: tuple[Any, ...] = (),
) -> Path:  # fmt: skip
    """Store equilibrium weights beside the raw ones, or why there are none.

    ``config`` is an EquilibriumConfig as JSON.
    """
    from apps.science.errors import ConfigError
    from apps.science.segments.equilibrium import EquilibriumConfig, log
    from apps.science.segments.equilibrium_store import (
        note_absence,
        write_equilibrium_weights,
    )
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
        note_absence(segments, str(error))
    return segments
