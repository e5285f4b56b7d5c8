"""Write a training set: what to learn on the beads of one protein, or of several.

The layout is in file.py; the file appears when it is whole.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, Self

from pydantic import Field, ValidationInfo, field_validator, model_validator

from apps.science.cg.dataset.file import SCHEMA, UNITS, Weights, create_file
from apps.science.cg.dataset.join import add_molecules, check_molecule, describe_shared
from apps.science.cg.dataset.molecule import Choice, Source, write_molecule
from apps.science.cg.dataset.weight_checks import check_weights
from apps.science.cg.mapping.beads import BACKBONE_EMBEDDING, RESIDUE_EMBEDDING
from apps.science.config_base import StrictConfig
from apps.science.errors import DataError
from apps.science.units import KB_KCAL_PER_MOL_K

__all__ = [
    "MOLECULE", "SCHEMA", "DatasetConfig", "Source", "check_weights", "write_dataset",
    "write_datasets",
]  # fmt: skip

MOLECULE: Final = "0"
"""What a molecule is called that nobody named."""


class DatasetConfig(StrictConfig):
    """Which frames enter the training set, and which of them validate."""

    weights: Weights = Field(
        "raw",
        description="raw: WE weights, of the law at the time they were reached; "
        "equilibrium: those that Markov state models make of them (no targets).",
    )
    weight_cutoff: float = Field(
        0.0, ge=0, lt=1, description="Frames of smaller weight are left out."
    )
    split_fraction: float = Field(
        0.1, ge=0, lt=1, description="Share of frames that validate."
    )
    burn_in_iterations: int = Field(
        0, ge=0, description="First iterations that are left out."
    )
    molecule: str = Field(
        MOLECULE,
        pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$",
        description="What this protein is called in the set.",
    )
    join: list[Path] = Field(
        default_factory=list,
        description="Run folders or dataset.h5 files of other campaigns whose proteins "
        "are learnt from as well.",
    )
    one_prior: bool = Field(
        True, description="Refuse to join proteins whose priors differ."
    )

    @field_validator("join")
    @classmethod
    def _from_the_file(cls, value: list[Path], info: ValidationInfo) -> list[Path]:
        folder = Path((info.context or {}).get("folder", ""))
        return [(folder / path).absolute() for path in value]

    @model_validator(mode="after")
    def _named_where_joined(self) -> Self:
        if self.join and self.molecule == MOLECULE:
            raise ValueError(
                "dataset.join adds the proteins of other campaigns: say what this one "
                "is called (dataset.molecule: chignolin, say)."
            )
        return self

    @property
    def choice(self) -> Choice:
        """What each molecule is written with."""
        return Choice(
            self.weights, self.weight_cutoff, self.split_fraction,
            self.burn_in_iterations,
        )  # fmt: skip


def write_dataset(
    segments: Path,
    mapping: Path,
    prior: Path,
    config: DatasetConfig,
    seed: int,
    out: Path,
) -> Path:
    """Write the training set of one protein, joined with those that the config names.

    Parameters
    ----------
    segments, mapping, prior : segments.h5, mapping.json, prior.yaml
    seed : decides the split

    Raises
    ------
    WeightError
        If an iteration's weights do not sum to one before the cutoff, or equilibrium
        weights are asked for and there are none.
    DataError
        If no frame is left, forces are missing, or another set cannot be joined.
    NumericalError
        If a coordinate or force is not finite; the frame is named.
    """
    source = Source(config.molecule, segments, mapping, prior)
    return write_datasets([source], config, seed, out)


def write_datasets(
    sources: Sequence[Source], config: DatasetConfig, seed: int, out: Path
) -> Path:
    """Write one training set of several proteins; see ``write_dataset``.

    ``config.molecule`` is not used: each source has its name.
    """
    names = [source.name for source in sources]
    if not sources or len(set(names)) < len(names):
        raise DataError(
            f"The proteins of a training set need names of their own; found "
            f"{', '.join(names) or 'none'}."
        )
    with create_file(out) as h5:
        _write_meta(h5, config.weights)
        h5.create_group("mol")
        for source in sources:
            group = write_molecule(h5["mol"], source, config.choice, seed)
            check_molecule(h5, group, source.name, source.segments, config.one_prior)
        add_molecules(h5, config.join, one_prior=config.one_prior)
        describe_shared(h5)
    return out


def _write_meta(h5: Any, weights: Weights) -> None:
    h5.create_group("meta").attrs.update(
        {
            "schema": SCHEMA,
            "units": UNITS,
            "kB_kcal_per_mol_K": KB_KCAL_PER_MOL_K,
            "embedding_map": json.dumps(RESIDUE_EMBEDDING | BACKBONE_EMBEDDING),
            "weights": weights,
        }
    )
