"""From all-atom segments to learning targets on beads."""

from pathlib import Path
from typing import Any

from parsl import python_app

from apps.roles import ANALYSIS
from apps.task_log import logged


@python_app(executors=[ANALYSIS])
@logged(ANALYSIS)
def write_mapping(
    system: Path, beads: str, config: str, out: Path,
    stage: str = "prepare", inputs: tuple[Any, ...] = (),
) -> Path:  # fmt: skip
    """Name the beads of a prepared system, as a MappingConfig in JSON asks.

    ``beads`` is the kind that holds where the config leaves it open.
    """
    from apps.science.cg.mapping import mapping
    from apps.science.cg.mapping.config import MappingConfig
    from apps.science.systems.info import PROTEIN_PDB, SYSTEM_JSON

    asked = MappingConfig.model_validate_json(config)
    built = mapping.build_mapping(
        system / PROTEIN_PDB, system / SYSTEM_JSON, asked.beads or beads,
        asked.force_map, asked.residues,
    )  # fmt: skip
    return built.write(out)


@python_app(executors=[ANALYSIS])
@logged(ANALYSIS)
def fit_prior(
    segments: Path, mapping: Path, config: str, out: Path,
    report: Path | None = None,
    stage: str = "prior", inputs: tuple[Any, ...] = (),
) -> Path:  # fmt: skip
    """Fit the prior given as a PriorConfig in JSON, and check that it is stable.

    ``report`` is where data and fit are written side by side.
    """
    from apps.science.cg.prior import priors

    asked = priors.PriorConfig.model_validate_json(config)
    return priors.fit_prior(segments, mapping, asked, out, report)


@python_app(executors=[ANALYSIS])
@logged(ANALYSIS)
def fit_force_map(
    segments: Path, mapping: Path, config: str, frames: str, seed: int, out: Path,
    report: Path, stage: str = "prior", inputs: tuple[Any, ...] = (),
) -> Path:  # fmt: skip
    """Write the mapping under the force map that a MappingConfig in JSON asks for.

    ``frames`` (a FrameChoice in JSON) and ``seed`` decide which frames are held out;
    ``report`` is where every force map is measured.
    """
    from apps.science.cg.mapping import force_map_fit
    from apps.science.cg.mapping.config import FrameChoice, MappingConfig

    return force_map_fit.fit_force_map(
        segments, mapping, MappingConfig.model_validate_json(config),
        FrameChoice.model_validate_json(frames), seed, out, report,
    )  # fmt: skip


@python_app(executors=[ANALYSIS])
@logged(ANALYSIS)
def write_delta_forces(
    segments: Path, mapping: Path, prior: Path, config: str, seed: int, out: Path,
    stage: str = "dataset", inputs: tuple[Any, ...] = (),
) -> Path:  # fmt: skip
    """Write the training set: bead positions, delta forces, weights, split."""
    from apps.science.cg.dataset import write as dataset

    asked = dataset.DatasetConfig.model_validate_json(config)
    return dataset.write_dataset(segments, mapping, prior, asked, seed, out)
