"""From all-atom segments to learning targets on beads."""

from pathlib import Path
from typing import Any

from parsl import python_app

from apps.roles import ANALYSIS
from apps.task_log import logged


@python_app(executors=[ANALYSIS])
@logged(ANALYSIS)
def fit_prior(
    segments: Path, mapping: Path, config: str, out: Path,
    stage: str = "prior", inputs: tuple[Any, ...] = (),
) -> Path:  # fmt: skip
    """Fit the prior given as a PriorConfig in JSON, and check that it is stable."""
    from apps.science.cg import priors

    asked = priors.PriorConfig.model_validate_json(config)
    return priors.fit_prior(segments, mapping, asked, out)


@python_app(executors=[ANALYSIS])
@logged(ANALYSIS)
def write_delta_forces(
    segments: Path, mapping: Path, prior: Path, config: str, seed: int, out: Path,
    stage: str = "dataset", inputs: tuple[Any, ...] = (),
) -> Path:  # fmt: skip
    """Write the training set: bead positions, delta forces, weights, split."""
    from apps.science.cg import dataset

    asked = dataset.DatasetConfig.model_validate_json(config)
    return dataset.write_dataset(segments, mapping, prior, asked, seed, out)
