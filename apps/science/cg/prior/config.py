"""What a person writes under ``prior:``, and the structures that presets stand for."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Literal

from pydantic import Field, ValidationInfo, field_validator

from apps.science.cg.dataset.file import Weights
from apps.science.cg.mapping.mapping import Mapping
from apps.science.cg.prior.tables import Exclusion, Term
from apps.science.config_base import StrictConfig
from apps.science.input_files import find_file

PresetName = Literal[
    "auto",
    "calpha",
    "CA_Majewski2022_v0",
    "CA_Majewski2022_v1",
    "backbone",
    "several_beads",
    "bonds_angles",
]


@dataclass(frozen=True)
class Preset:
    """The structure of a prior, without its numbers."""

    terms: tuple[Term, ...]
    exclusions: tuple[Exclusion, ...]
    dihedral_scale: float = 1.0
    shared_dihedral: bool = True


PRESETS: Final[dict[str, Preset]] = {
    # angles and a dihedral for each torsion hold what a network does not learn from a
    # few thousand frames; docs/defaults.md has the figures
    "calpha": Preset(
        ("bonds", "angles", "dihedrals", "repulsion"), ("bonds",), shared_dihedral=False
    ),
    "CA_Majewski2022_v0": Preset(("bonds", "dihedrals", "repulsion"), ("bonds",), 0.5),
    "CA_Majewski2022_v1": Preset(
        ("bonds", "dihedrals", "repulsion"), ("bonds", "angles", "1-4"), 0.5
    ),
    # Networks that see distances alone cannot tell a molecule from its mirror image:
    # phi and psi of the prior carry the handedness, so each is fitted in full.
    "backbone": Preset(
        ("bonds", "angles", "dihedrals"),
        ("bonds", "angles", "1-4"),
        shared_dihedral=False,
    ),
    "several_beads": Preset(
        ("bonds", "angles", "dihedrals", "repulsion"),
        ("bonds", "angles", "1-4"),
        shared_dihedral=False,
    ),
    "bonds_angles": Preset(("bonds", "angles"), ("bonds", "angles", "1-4")),
}


_BY_BEADS: Final[dict[str, PresetName]] = {
    "calpha": "calpha",
    "backbone": "backbone",
}


class PriorConfig(StrictConfig):
    """What the prior is made of and where its numbers come from."""

    preset: PresetName = Field(
        "auto",
        description="Structure of terms; auto takes calpha for C-alpha beads, "
        "backbone for backbone beads, several_beads for others.",
    )
    terms: list[Term] | None = Field(
        None, description="Terms to use in place of the preset's."
    )
    exclusions: list[Exclusion] | None = Field(
        None, description="Pairs without repulsion, in place of the preset's."
    )
    shared_dihedral: bool | None = Field(
        None,
        description="One dihedral term for all bead types; null: the preset's.",
    )
    dihedral_scale: float | None = Field(
        None, ge=0, le=1, description="Factor on fitted dihedrals; null: the preset's."
    )
    parameters: Path | None = Field(
        None,
        description="TorchMD YAML to take the numbers from instead of a fit; with "
        "preset auto its terms and exclusions too.",
    )
    temperature_kelvin: float = Field(
        300.0,
        gt=0,
        le=1000,
        description="Temperature of the sampled data; in a campaign the system's, and "
        "best left out.",
    )
    weights: Weights | None = Field(
        None,
        description="Weights of the frames it is fitted to, raw or equilibrium; null: "
        "those that the training set uses (dataset.weights).",
    )
    n_shrink: float = Field(
        50.0, ge=0, le=1e9, description="Effective samples the pooled spread is worth."
    )
    gate_steps: int = Field(
        100_000,
        ge=0,
        le=10**9,
        description="Steps of prior-only dynamics that check it; 0: none.",
    )
    gate_replicas: int = Field(
        4, gt=0, le=100_000, description="Replicas in that check."
    )
    gate_timestep_fs: float | None = Field(
        None,
        gt=0,
        le=20,
        description="Step of that dynamics; null: a twentieth of the stiffest bond's "
        "period, at most 4.",
    )

    @field_validator("terms", "exclusions")
    @classmethod
    def _each_once(cls, value: list[str] | None) -> list[str] | None:
        twice = sorted({v for v in value or () if (value or []).count(v) > 1})
        if twice:
            raise ValueError(
                f"{', '.join(twice)} stands there more than once. Name each once."
            )
        return value

    @field_validator("parameters")
    @classmethod
    def _parameters_exist(cls, value: Path | None, info: ValidationInfo) -> Path | None:
        if value is None:
            return None
        path = find_file(value, info)
        if not path.is_file():
            raise ValueError(
                f"The parameter file {path} does not exist. Check its path."
            )
        return path


def choose_preset(config: PriorConfig, mapping: Mapping) -> Preset:
    """Return the structure that a config asks for, for this kind of beads."""
    name = config.preset
    if name == "auto":
        name = _BY_BEADS.get(mapping.kind, "several_beads")
    preset = PRESETS[name]
    if config.terms is not None:
        preset = replace(preset, terms=tuple(config.terms))
    if config.exclusions is not None:
        preset = replace(preset, exclusions=tuple(config.exclusions))
    if config.dihedral_scale is not None:
        preset = replace(preset, dihedral_scale=config.dihedral_scale)
    if config.shared_dihedral is not None:
        preset = replace(preset, shared_dihedral=config.shared_dihedral)
    return preset
