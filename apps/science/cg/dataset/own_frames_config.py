"""The settings of frames that a user brings: their files, and what the numbers mean."""

from pathlib import Path
from typing import Literal, Self

from pydantic import Field, ValidationInfo, field_validator, model_validator

from apps.science.config_base import StrictConfig
from apps.science.input_files import find_file
from apps.science.units import ANGSTROM_PER_NM, FORCE_OPENMM_TO_KCAL

LengthUnit = Literal["angstrom", "nanometer"]
ForceUnit = Literal["kcal/mol/angstrom", "kJ/mol/nm"]


class OwnFramesConfig(StrictConfig):
    """The files, and what their numbers mean."""

    topology: Path = Field(
        description="PDB file with the atoms that the frames hold, or the PSF file of "
        "the C-alpha model whose beads they hold."
    )
    structure: Path | None = Field(
        None,
        description="PDB file of the native structure, beside a PSF topology: it has "
        "to have the same residues.",
    )
    positions: Path = Field(description=".npy, (n_frames, n_atoms, 3).")
    forces: Path = Field(description=".npy of the same shape.")
    weights: Path | None = Field(
        None, description=".npy, .npz or text, one a frame; default: all alike."
    )
    length_unit: LengthUnit = Field("angstrom", description="Of the positions.")
    force_unit: ForceUnit = Field("kcal/mol/angstrom", description="Of the forces.")
    frame_interval_ps: float = Field(1.0, gt=0, le=1e9, description="Between frames.")
    lineage_block_ps: float = Field(
        100.0,
        gt=0,
        le=1e9,
        description="Blocks that are split and resampled as a whole.",
    )
    temperature_kelvin: float = Field(
        300.0, gt=0, le=1000, description="Of the simulation."
    )
    beads: Literal["calpha", "backbone", "backbone_cb"] = Field(
        "calpha", description="Beads, where mapping.beads names none."
    )

    @field_validator("topology", "structure", "positions", "forces", "weights")
    @classmethod
    def _from_the_file(cls, value: Path | None, info: ValidationInfo) -> Path | None:
        return None if value is None else find_file(value, info)

    @property
    def holds_beads(self) -> bool:
        """Whether the frames are of the beads of a PSF file."""
        return self.topology.suffix.lower() == ".psf"

    @property
    def length_scale(self) -> float:
        """Angstrom in one ``length_unit``."""
        return 1.0 if self.length_unit == "angstrom" else ANGSTROM_PER_NM

    @property
    def force_scale(self) -> float:
        """kcal/mol/Angstrom in one ``force_unit``."""
        if self.force_unit == "kcal/mol/angstrom":
            return 1.0
        return FORCE_OPENMM_TO_KCAL

    @model_validator(mode="after")
    def _psf_is_of_calphas(self) -> Self:
        if self.holds_beads and self.beads != "calpha":
            raise ValueError(
                f"system.topology is a PSF file of C-alpha beads, but system.beads is "
                f"{self.beads}. Leave system.beads out, or give a PDB file of atoms."
            )
        if self.structure is not None and not self.holds_beads:
            raise ValueError(
                "system.structure is for a PSF topology, which has no coordinates; "
                f"{self.topology.name} is none. Leave system.structure out."
            )
        return self
