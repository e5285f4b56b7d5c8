"""The prior of a coarse-grained force field: what it is made of, fit, read, check."""

import logging
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

import numpy as np
from pydantic import Field

from apps.science.cg.mapping import Mapping, read_mapping
from apps.science.cg.prior_tables import Exclusion, PriorTables, Term
from apps.science.config_base import StrictConfig

if TYPE_CHECKING:
    from apps.science.cg.prior_terms import Prior

_log = logging.getLogger(__name__)

PresetName = Literal[
    "auto", "CA_Majewski2022_v0", "CA_Majewski2022_v1", "backbone", "bonds_angles"
]


@dataclass(frozen=True)
class Preset:
    """The structure of a prior, without its numbers."""

    terms: tuple[Term, ...]
    exclusions: tuple[Exclusion, ...]
    dihedral_scale: float = 1.0
    shared_dihedral: bool = True


PRESETS: Final[dict[str, Preset]] = {
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
    "bonds_angles": Preset(("bonds", "angles"), ("bonds", "angles", "1-4")),
}


class PriorConfig(StrictConfig):
    """What the prior is made of and where its numbers come from."""

    preset: PresetName = Field(
        "auto",
        description="Structure of terms; auto takes CA_Majewski2022_v0 for C-alpha "
        "beads and backbone for backbone beads.",
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
        None, description="TorchMD YAML to take the numbers from instead of a fit."
    )
    temperature_kelvin: float = Field(
        300.0, gt=0, description="Temperature of the sampled data."
    )
    n_shrink: float = Field(
        50.0, ge=0, description="Effective samples the pooled spread is worth."
    )
    gate_steps: int = Field(
        3000, ge=0, description="Steps of prior-only dynamics that check it; 0: none."
    )
    gate_replicas: int = Field(8, gt=0, description="Replicas in that check.")


def choose_preset(config: PriorConfig, mapping: Mapping) -> Preset:
    """Return the structure that a config asks for, for this kind of beads."""
    name = config.preset
    if name == "auto":
        name = "CA_Majewski2022_v0" if mapping.kind == "calpha" else "backbone"
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


def fit_prior(segments: Path, mapping: Path, config: PriorConfig, out: Path) -> Path:
    """Fit a prior to the weighted frames of ``segments.h5`` and write prior.yaml.

    Raises
    ------
    DataError
        If there is no frame with a weight, or a parameter file lacks an entry.
    NumericalError
        If prior-only dynamics is not stable.
    """
    from apps.science.cg.prior_gate import check_prior
    from apps.science.cg.prior_terms import build_prior
    from apps.science.cg.prior_yaml import read_tables, write_tables

    read = read_mapping(mapping)
    preset = choose_preset(config, read)
    if config.parameters is None:
        tables = _fit_tables(segments, read, config, preset)
    else:
        tables = replace(
            read_tables(config.parameters, preset.exclusions),
            terms=preset.terms,
            exclusions=preset.exclusions,
            temperature_kelvin=config.temperature_kelvin,
        )
    prior = build_prior(read, tables)
    if config.gate_steps:
        check_prior(
            prior,
            read,
            _starting_frames(segments, read, config.gate_replicas),
            temperature_kelvin=config.temperature_kelvin,
            n_steps=config.gate_steps,
        )
    return write_tables(tables, out)


def _fit_tables(
    segments: Path, mapping: Mapping, config: PriorConfig, preset: Preset
) -> PriorTables:
    from apps.science.cg.prior_fit import FitSettings, PriorFit
    from apps.science.segments.store import iterate_frames

    structure = PriorTables(
        terms=preset.terms,
        exclusions=preset.exclusions,
        masses=dict(zip(mapping.types, mapping.masses_amu, strict=True)),
    )
    fit = PriorFit(
        mapping,
        structure,
        FitSettings(
            config.temperature_kelvin,
            config.n_shrink,
            preset.shared_dihedral,
            preset.dihedral_scale,
        ),
    )
    n_frames = 0
    for batch in iterate_frames(segments):
        fit.add(mapping.map_positions(batch["positions"]), batch["weight"])
        n_frames += len(batch["weight"])
    tables = fit.finish()
    _log.info(
        "prior: %s fitted to %d frames at %.1f K",
        ", ".join(tables.terms), n_frames, config.temperature_kelvin,
    )  # fmt: skip
    return tables


def _starting_frames(segments: Path, mapping: Mapping, n: int) -> np.ndarray:
    from apps.science.segments.store import open_store

    with open_store(segments) as h5:
        rows = np.unique(np.linspace(0, len(h5["weight"]) - 1, n).astype(int))
        atoms = h5["positions"][rows]
    return np.asarray(mapping.map_positions(atoms))


def read_prior(path: Path, mapping: Mapping) -> "Prior":
    """Read prior.yaml, or a published TorchMD prior, for the beads of ``mapping``."""
    from apps.science.cg.prior_terms import build_prior
    from apps.science.cg.prior_yaml import read_tables

    return build_prior(mapping, read_tables(path))
