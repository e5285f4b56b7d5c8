"""What a person writes under ``system:``, and what is refused before it queues."""

from pathlib import Path
from typing import Literal, Self

from pydantic import Field, ValidationInfo, field_validator, model_validator

from apps.science.config_base import StrictConfig
from apps.science.input_files import find_file
from apps.science.systems.native_folds import list_folds, read_fold
from apps.science.systems.residues import ONE_TO_THREE

Solvent = Literal["gbn2", "obc2", "tip3pfb", "vacuum"]

UNFOLDING_STARTS = 8
"""Beside a native and an extended start; what they do for a model: docs/defaults.md."""


class SystemConfig(StrictConfig):
    """A protein and the conditions it is simulated under.

    The defaults are those of weighted-ensemble data generation with OpenMM: 300 K,
    friction 1/ps, 4 fs with bonds to hydrogen constrained and 1.5 amu hydrogens.
    """

    sequence: str | None = Field(
        None, description="One-letter sequence, built as an extended chain."
    )
    fold: str | None = Field(
        None, description="Name of a native fold that weft ships, such as chignolin."
    )
    pdb: Path | None = Field(
        None, description="Path of a PDB or mmCIF file; it may be gzipped."
    )
    leave_out: list[str] = Field(
        default_factory=list,
        description="Residues of the pdb that are not simulated: ZN, GLY 301 of chain "
        "A, chain B. Water is replaced by the solvent in any case.",
    )
    replace: dict[str, str] = Field(
        default_factory=dict,
        description="Modified residues of the pdb, and which of the 20 amino acids "
        "they are simulated as: {MSE: MET}.",
    )
    conformer: str | None = Field(
        None,
        description="Letter of the alternative location to take where the pdb has "
        "several. Default: the most complete, the first of equals.",
    )
    model: int | None = Field(
        None, ge=0, description="Number of the model to take. Default: the first."
    )
    caps: bool = Field(
        False, description="Close the chain with ACE and NME instead of charged ends."
    )
    solvent: Solvent = Field(
        "gbn2", description="Implicit gbn2 or obc2, explicit tip3pfb, or vacuum."
    )
    padding_nm: float = Field(
        1.0,
        gt=0.3,
        le=5,
        description="Water between the protein and its copies (tip3pfb).",
    )
    ionic_strength_molar: float = Field(
        0.0, ge=0, le=5, description="Salt, beyond the ions that neutralise."
    )
    temperature_kelvin: float = Field(300.0, gt=0, le=1000, description="Temperature.")
    pressure_atm: float = Field(
        1.0, gt=0, le=1000, description="Pressure of the barostat (tip3pfb)."
    )
    friction_per_ps: float = Field(1.0, gt=0, le=100, description="Langevin friction.")
    timestep_fs: float = Field(4.0, gt=0, le=5, description="Integration time step.")
    hydrogen_mass_amu: float = Field(
        1.5, ge=1.0, le=4, description="Mass moved onto each hydrogen."
    )
    beads: Literal["calpha", "backbone"] = Field(
        "calpha", description="Coarse-grained beads: C-alpha, or the backbone N CA C."
    )
    extended_start: bool | None = Field(
        None,
        description="Also start from an extended chain, beside the native structure. "
        "Default: yes in implicit solvent and vacuum, no in explicit water.",
    )
    unfolding_starts: int | None = Field(
        None,
        ge=0,
        le=1000,
        description="Also start from so many frames of a short hot run from the native "
        "structure, so that shapes between fold and extended chain are sampled, too. "
        f"Default: {UNFOLDING_STARTS} where an extended start stands beside the native "
        "one, else none.",
    )
    unfolding_kelvin: float = Field(
        500.0, gt=0, le=1000, description="Temperature of the hot run."
    )
    unfolding_ps: float = Field(
        40.0, gt=0, le=1e6, description="Length of the hot run."
    )
    n_minimisation_steps: int = Field(
        1000, gt=0, le=10**6, description="Most iterations of energy minimisation."
    )
    equilibration_ps: float = Field(
        10.0, ge=0, le=1e6, description="MD of each start after minimisation."
    )

    @field_validator("sequence")
    @classmethod
    def _check_letters(cls, value: str | None) -> str | None:
        if value is None:
            return None
        sequence = value.strip().upper()
        if not sequence:
            raise ValueError(
                "The sequence is empty. Write one letter per residue: GYDPETGTWG."
            )
        for position, letter in enumerate(sequence, start=1):
            if letter not in ONE_TO_THREE:
                raise ValueError(
                    f"Sequence letter {letter!r} at position {position} is not one of "
                    f"the 20 amino acids ({''.join(sorted(ONE_TO_THREE))})."
                )
        return sequence

    @field_validator("replace")
    @classmethod
    def _check_replacements(cls, value: dict[str, str]) -> dict[str, str]:
        known = ONE_TO_THREE.values()
        for name, into in value.items():
            if into.upper() not in known or name.upper() in known:
                raise ValueError(
                    f"replace takes a modified residue as one of the 20 amino acids "
                    f"({', '.join(sorted(known))}); found {name}: {into}."
                )
        return {name.upper(): into.upper() for name, into in value.items()}

    @field_validator("fold")
    @classmethod
    def _check_fold(cls, value: str | None) -> str | None:
        if value is not None and value not in list_folds():
            raise ValueError(
                f"Unknown fold {value!r}: the folds that exist are "
                f"{', '.join(list_folds())}."
            )
        return value

    @field_validator("pdb")
    @classmethod
    def _check_pdb_exists(cls, value: Path | None, info: ValidationInfo) -> Path | None:
        if value is None:
            return None
        path = find_file(value, info)
        try:
            found = "" if path.is_file() else "does not exist"
            found = "is a folder" if path.is_dir() else found
        except OSError as error:
            found = f"cannot be reached ({error.strerror})"
        if found:
            raise ValueError(f"The PDB file {path} {found}. Check its path.")
        return path

    @model_validator(mode="after")
    def _check_one_source(self) -> Self:
        named = [n for n in ("sequence", "fold", "pdb") if getattr(self, n) is not None]
        if len(named) != 1:
            found = " and ".join(named) if named else "none of them"
            raise ValueError(
                f"Give exactly one of sequence, fold and pdb; found {found}."
            )
        for what in ("leave_out", "replace", "conformer", "model"):
            if self.pdb is None and getattr(self, what) not in (None, [], {}):
                raise ValueError(
                    f"{what} is about what a PDB file holds, and there is none. Leave "
                    "it out."
                )
        if self.sequence is not None and len(self.sequence) == 1 and not self.caps:
            raise ValueError(
                "A single residue needs caps: true (the alanine dipeptide is "
                "sequence: A, caps: true)."
            )
        return self

    @model_validator(mode="after")
    def _check_physics(self) -> Self:
        if self.timestep_fs > 2 and self.hydrogen_mass_amu < 1.5:
            raise ValueError(
                f"timestep_fs {self.timestep_fs:g} with hydrogen_mass_amu "
                f"{self.hydrogen_mass_amu:g} is unstable. Use at most 2 fs, or "
                "hydrogens of at least 1.5 amu."
            )
        if self.extended_start and self.explicit:
            raise ValueError(
                "extended_start: true is not offered in explicit water (an extended "
                "chain needs a far larger box than the fold). Leave it out, or use "
                "gbn2 or obc2."
            )
        if self.unfolding_starts and (self.explicit or self.sequence is not None):
            found = "explicit water" if self.explicit else "a bare sequence"
            raise ValueError(
                f"unfolding_starts: {self.unfolding_starts} is not offered with "
                f"{found}: a hot run unfolds a native structure in gbn2, obc2 or "
                "vacuum. Leave it out."
            )
        return self

    @property
    def explicit(self) -> bool:
        """Whether the solvent is water molecules in a periodic box."""
        return self.solvent == "tip3pfb"

    @property
    def has_extended_start(self) -> bool:
        """Whether an extended start stands beside the native one."""
        if self.sequence is not None:
            return False
        return not self.explicit if self.extended_start is None else self.extended_start

    @property
    def letters(self) -> str | None:
        """One-letter sequence where it is known without reading a PDB file."""
        return self.sequence if self.fold is None else read_fold(self.fold).sequence
