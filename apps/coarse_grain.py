"""From all-atom segments to learning targets on beads."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from parsl import python_app

from apps.roles import ANALYSIS
from apps.task_log import logged

if TYPE_CHECKING:
    from apps.science.cg.dataset.file import Weights


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
    sources: Sequence[tuple[Path, Path, Path]], config: str, out: Path,
    stage: str = "prior", inputs: tuple[Any, ...] = (),
) -> Path:  # fmt: skip
    """Fit the prior given as a PriorConfig in JSON, and check that it is stable.

    ``sources`` are segments.h5 and mapping.json of each protein, and where its data
    and the fit are written side by side.
    """
    from apps.science.cg.prior import priors

    asked = priors.PriorConfig.model_validate_json(config)
    return priors.fit_prior([priors.PriorSource(*s) for s in sources], asked, out)


@python_app(executors=[ANALYSIS])
@logged(ANALYSIS)
def fit_force_map(
    segments: Path, mapping: Path, config: str, frames: str, seed: int, out: Path,
    report: Path, weights: "Weights" = "raw",
    stage: str = "prior", inputs: tuple[Any, ...] = (),
) -> Path:  # fmt: skip
    """Write the mapping under the force map that a MappingConfig in JSON asks for.

    ``frames`` (a FrameChoice in JSON) and ``seed`` decide which frames are held out;
    ``report`` is where every force map is measured, with these ``weights``.
    """
    from apps.science.cg.mapping import force_map_fit
    from apps.science.cg.mapping.config import FrameChoice, MappingConfig

    return force_map_fit.fit_force_map(
        segments, mapping, MappingConfig.model_validate_json(config),
        FrameChoice.model_validate_json(frames), seed, out, report, weights,
    )  # fmt: skip


@python_app(executors=[ANALYSIS])
@logged(ANALYSIS)
def write_delta_forces(
    sources: Sequence[tuple[str, Path, Path]], prior: Path, config: str, seed: int,
    out: Path, stage: str = "dataset", inputs: tuple[Any, ...] = (),
) -> Path:  # fmt: skip
    """Write the training set: bead positions, delta forces, weights, split.

    ``sources`` are the name, segments.h5 and mapping.json of each protein.
    """
    from apps.science.cg.dataset import write as dataset

    asked = dataset.DatasetConfig.model_validate_json(config)
    named = [dataset.Source(*source, prior) for source in sources]
    return dataset.write_datasets(named, asked, seed, out)
