"""What a person writes under ``mapping:``; nothing heavy is imported here."""

from typing import Final, Literal, Self

from pydantic import Field, field_validator, model_validator

from apps.science.cg.mapping.beads import N_EMBEDDINGS, ONE_LETTER
from apps.science.config_base import StrictConfig

BeadKind = Literal["calpha", "backbone", "backbone_cb"]
ForceMapKind = Literal["constraint_sum", "optimal", "sum", "slice", "mass_average"]
ForceMapChoice = Literal["auto", ForceMapKind]
MADE_OF_FRAMES: Final = ("auto", "optimal")
"""Choices that only frames decide; until then a mapping carries ``constraint_sum``."""


class BeadRule(StrictConfig):
    """One bead of every residue that has the atoms."""

    name: str = Field(
        min_length=1, max_length=4, description="Name of the bead, such as CA or SC."
    )
    atoms: list[str] | None = Field(
        None, description="Atom names; those that the residue has make the bead."
    )
    selection: str | None = Field(
        None,
        description="mdtraj selection in place of names: 'sidechain and not element H'",
    )
    weights: Literal["mass", "equal"] | dict[str, float] = Field(
        "mass", description="Weight of each atom, by mass, equal, or by atom name."
    )
    residues: list[str] | None = Field(
        None, description="Residues that have this bead; null: every one."
    )
    optional: bool = Field(
        False, description="Residues without the atoms go without the bead."
    )
    embedding: int | None = Field(
        None,
        ge=1,
        lt=N_EMBEDDINGS,
        description="Integer a model knows the bead by; null: by atom and residue.",
    )

    @model_validator(mode="after")
    def _names_its_atoms(self) -> Self:
        if (self.atoms is None) == (self.selection is None):
            raise ValueError(
                f"Bead {self.name} needs either atoms or selection, such as "
                "atoms: [CB] or selection: 'sidechain and not element H'."
            )
        return self

    @field_validator("weights")
    @classmethod
    def _weights_are_positive(cls, value: str | dict[str, float]) -> object:
        if isinstance(value, dict) and (not value or min(value.values()) <= 0):
            raise ValueError("Weights of a bead's atoms must all be above zero.")
        return value


RULES: dict[str, tuple[BeadRule, ...]] = {
    "calpha": (BeadRule(name="CA", atoms=["CA"]),),
    "backbone": tuple(BeadRule(name=n, atoms=[n]) for n in ("N", "CA", "C")),
    "backbone_cb": (
        *(BeadRule(name=n, atoms=[n]) for n in ("N", "CA", "C", "O")),
        BeadRule(name="CB", atoms=["CB"], optional=True),
    ),
}
"""The named kinds of beads. Glycine has no CB."""


class MappingConfig(StrictConfig):
    """Which beads a protein becomes, and how forces come to them."""

    beads: BeadKind | list[BeadRule] | None = Field(
        None,
        description="calpha, backbone (N CA C), backbone_cb (N CA C O CB), or a list "
        "of beads; null: system.beads.",
    )
    residues: dict[str, str] = Field(
        default_factory=dict,
        description="Residues weft does not know, and which they count as: {ABA: ALA}.",
    )
    force_map: ForceMapChoice = Field(
        "auto",
        description="constraint_sum, optimal (fitted to the frames), or auto (of the "
        "consistent maps the one with the least noise on held-out frames); sum, slice "
        "and mass_average only where their conditions hold.",
    )
    ridge: float = Field(
        1e-3,
        ge=0,
        le=1e6,
        description="Of the optimal map, in mean squared atom forces.",
    )

    @field_validator("residues")
    @classmethod
    def _targets_are_known(cls, value: dict[str, str]) -> dict[str, str]:
        for name, target in value.items():
            if target not in ONE_LETTER:
                raise ValueError(
                    f"mapping.residues says {name} counts as {target}, which is no "
                    f"residue with a bead type. Known: {', '.join(sorted(ONE_LETTER))}."
                )
        return value

    @field_validator("beads")
    @classmethod
    def _bead_names_differ(cls, value: object) -> object:
        if isinstance(value, list):
            if not value:
                raise ValueError("mapping.beads is empty. Name a bead, or null.")
            keys = [(b.name, tuple(b.residues or ())) for b in value]
            if len(set(keys)) < len(keys):
                raise ValueError(
                    "Two beads of mapping.beads have one name. Give each its own, or "
                    "tell them apart by residues."
                )
        return value


class FrameChoice(StrictConfig):
    """Which frames a force map is fitted to, and which it is measured on."""

    weight_cutoff: float = Field(
        0.0, ge=0, lt=1, description="Frames of smaller weight are left out."
    )
    burn_in_iterations: int = Field(
        0, ge=0, description="First iterations that are left out."
    )
    split_fraction: float = Field(
        0.1, ge=0, lt=1, description="Share of frames that are held out."
    )
