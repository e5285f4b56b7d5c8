"""Frames that a user brings, and a model judged by plain dynamics against them."""

from pathlib import Path
from typing import Any, Literal

from parsl import python_app

from apps.roles import ANALYSIS, MD
from apps.task_log import logged


@python_app(executors=[ANALYSIS])
@logged(ANALYSIS)
def import_frames(
    config: str, mapping: str, lag_ps: float,
    features: Literal["distances", "dihedrals"],
    system: Path, out: Path, segments: Path, reference: Path, tica: Path,
    stage: str = "import", inputs: tuple[Any, ...] = (),
) -> Path:  # fmt: skip
    """Write mapping, segments.h5, reference frames and TICA of an OwnFramesConfig."""
    from apps.science.cg.dataset import own_frames
    from apps.science.cg.dataset.own_frames_config import OwnFramesConfig
    from apps.science.cg.mapping.config import MappingConfig

    asked = OwnFramesConfig.model_validate_json(config)
    beads = MappingConfig.model_validate_json(mapping)
    own_frames.import_frames(asked, beads, system, out, segments, reference)
    return own_frames.fit_slow_coordinates(reference, out, lag_ps, features, tica)


@python_app(executors=[MD])
@logged(MD)
def judge_by_dynamics(
    checkpoint: Path, prior: Path, reference: Path, mapping: Path, tica: Path,
    temperature_kelvin: float, settings: str, burn_in_fraction: float,
    n_bootstrap: int, native: Path | None, out: Path, stage: str = "benchmark",
    inputs: tuple[Any, ...] = (),
) -> Path:  # fmt: skip
    """Run packed replicas of a model and compare them with the reference.

    ``settings`` are those of RunSettings in JSON; ``out`` is the model's folder.
    """
    import json

    from apps.science.benchmark.judge_models import judge_models
    from apps.science.benchmark.model_kinds import TrainedModel
    from apps.science.benchmark.plain_dynamics import RunSettings
    from apps.science.benchmark.reference_set import ReferenceSet

    judge_models(
        ReferenceSet(
            reference, mapping, tica, native, temperature_kelvin=temperature_kelvin
        ),
        {out.name: TrainedModel(checkpoint, prior)},
        RunSettings(**json.loads(settings)),
        out.parent,
        burn_in_fraction,
        n_bootstrap,
    )
    return out / "metrics.json"
