"""The prior of a coarse-grained force field: what it is made of, fit, read, check."""

import logging
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np
from pydantic import Field, ValidationInfo, field_validator

from apps.science.arrays import Array
from apps.science.cg.mapping.mapping import Mapping, read_mapping
from apps.science.cg.prior.tables import Exclusion, PriorTables, Term
from apps.science.config_base import StrictConfig
from apps.science.errors import NumericalError
from apps.science.files import write_json

if TYPE_CHECKING:
    from apps.science.cg.prior.fit import FitSettings, PriorFit
    from apps.science.cg.prior.terms import Prior

_log = logging.getLogger(__name__)

PresetName = Literal[
    "auto",
    "CA_Majewski2022_v0",
    "CA_Majewski2022_v1",
    "backbone",
    "several_beads",
    "bonds_angles",
]

FIT_SCHEMA: Final = "weft-prior-fit-1"


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
    "several_beads": Preset(
        ("bonds", "angles", "dihedrals", "repulsion"),
        ("bonds", "angles", "1-4"),
        shared_dihedral=False,
    ),
    "bonds_angles": Preset(("bonds", "angles"), ("bonds", "angles", "1-4")),
}


_BY_BEADS: Final[dict[str, PresetName]] = {
    "calpha": "CA_Majewski2022_v0", "backbone": "backbone",
}  # fmt: skip


class PriorConfig(StrictConfig):
    """What the prior is made of and where its numbers come from."""

    preset: PresetName = Field(
        "auto",
        description="Structure of terms; auto takes CA_Majewski2022_v0 for C-alpha "
        "beads, backbone for backbone beads, several_beads for others.",
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
        300.0, gt=0, description="Temperature of the sampled data."
    )
    n_shrink: float = Field(
        50.0, ge=0, description="Effective samples the pooled spread is worth."
    )
    gate_steps: int = Field(
        100_000,
        ge=0,
        description="Steps of prior-only dynamics that check it; 0: none.",
    )
    gate_replicas: int = Field(4, gt=0, description="Replicas in that check.")
    gate_timestep_fs: float | None = Field(
        None,
        gt=0,
        le=20,
        description="Step of that dynamics; null: a twentieth of the stiffest bond's "
        "period, at most 4.",
    )

    @field_validator("parameters")
    @classmethod
    def _parameters_exist(cls, value: Path | None, info: ValidationInfo) -> Path | None:
        if value is None:
            return None
        folder = Path((info.context or {}).get("folder", ""))
        path = (folder / value.expanduser()).absolute()
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


def fit_prior(
    segments: Path,
    mapping: Path,
    config: PriorConfig,
    out: Path,
    report: Path | None = None,
) -> Path:
    """Fit a prior to the weighted frames of ``segments.h5`` and write prior.yaml.

    The frames are checked on the way: nothing is trained on frames without forces, in
    the wrong units or of another molecule.

    Parameters
    ----------
    report : ``prior_fit.json``, data against fit and what the gate saw; written even
        where the gate refuses the prior. None: not written.

    Raises
    ------
    DataError
        If frames cannot be learnt from, there are fewer than a term has parameters,
        or a parameter file lacks an entry.
    NumericalError
        If a frame is not finite, or prior-only dynamics is not stable.
    """
    from apps.science.cg.prior.curves import describe_fit
    from apps.science.cg.prior.terms import build_prior
    from apps.science.cg.prior.torchmd_yaml import write_tables

    read = read_mapping(mapping)
    preset = choose_preset(config, read)
    given = None
    if config.parameters is not None:
        given = _read_parameters(config.parameters, config, preset)
    structure = given or PriorTables(
        terms=preset.terms,
        exclusions=preset.exclusions,
        masses=dict(zip(read.types, read.masses_amu, strict=True)),
    )
    fit, settings, n_frames = _count_frames(segments, read, structure, config, preset)
    tables = given or fit.finish()
    _log.info(
        "prior: %s %s %d frames at %.1f K",
        ", ".join(tables.terms), "compared with" if given else "fitted to", n_frames,
        config.temperature_kelvin,
    )  # fmt: skip
    gate, frames, refused = _run_gate(build_prior(read, tables), read, segments, config)
    if report is not None:
        described = {
            "schema": FIT_SCHEMA,
            "source": "fitted" if given is None else str(config.parameters),
            "temperature_kelvin": config.temperature_kelvin,
            "n_frames": n_frames,
            "weights": "raw WE",
            "terms": describe_fit(fit, tables, read, settings, frames),
            "gate": gate,
        }
        write_json(report, described)
    if refused is not None:
        raise refused
    return write_tables(tables, out)


def _run_gate(
    prior: "Prior", mapping: Mapping, segments: Path, config: PriorConfig
) -> tuple[dict[str, Any], Array | None, NumericalError | None]:
    """Return what the gate saw, its frames, and why it refuses the prior, if it does.

    ``n_steps``, ``passed`` (null: not run) and ``message``, or ``n_replicas``,
    ``timestep_fs``, ``seconds``, ``largest_deviation_sigma``, ``limit_sigma`` and
    ``strained_share``, how often the worst bond was past the limit.
    """
    from apps.science.cg.prior.gate import check_prior

    gate: dict[str, Any] = {"n_steps": config.gate_steps, "passed": None}
    if not config.gate_steps:
        return gate, None, None
    starts = _starting_frames(segments, mapping, config.gate_replicas)
    try:
        check = check_prior(
            prior, mapping, starts, config.temperature_kelvin, config.gate_steps,
            timestep_fs=config.gate_timestep_fs,
        )  # fmt: skip
    except NumericalError as error:
        return gate | {"passed": False, "message": str(error)}, None, error
    gate |= {
        "passed": True, "n_replicas": len(starts), "timestep_fs": check.timestep_fs,
        "seconds": check.seconds, "limit_sigma": check.limit,
        "largest_deviation_sigma": check.largest_deviation,
        "strained_share": check.strained_share,
    }  # fmt: skip
    return gate, check.frames, None


def _read_parameters(path: Path, config: PriorConfig, preset: Preset) -> PriorTables:
    """Read given numbers; the file's own terms hold unless others are asked for."""
    from apps.science.cg.prior.torchmd_yaml import read_tables

    tables = read_tables(path, preset.exclusions)
    if config.preset != "auto" or config.terms is not None:
        tables = replace(tables, terms=preset.terms)
    if config.preset != "auto" or config.exclusions is not None:
        tables = replace(tables, exclusions=preset.exclusions)
    return replace(tables, temperature_kelvin=config.temperature_kelvin)


def _count_frames(
    segments: Path,
    mapping: Mapping,
    structure: PriorTables,
    config: PriorConfig,
    preset: Preset,
) -> "tuple[PriorFit, FitSettings, int]":
    """Check every frame and count it; return the counts and the number of frames."""
    from apps.science.cg.dataset.frame_checks import FrameCheck, check_store
    from apps.science.cg.prior.fit import FitSettings, PriorFit
    from apps.science.segments.store import iterate_frames

    check_store(segments, mapping)
    settings = FitSettings(
        config.temperature_kelvin, config.n_shrink, preset.shared_dihedral,
        preset.dihedral_scale,
    )  # fmt: skip
    fit, check = PriorFit(mapping, structure, settings), FrameCheck(mapping)
    for batch in iterate_frames(segments):
        beads = mapping.map_positions(batch["positions"])
        check.add(batch, beads)
        fit.add(beads, batch["weight"])
    check.finish()
    return fit, settings, check.n_frames


def _starting_frames(segments: Path, mapping: Mapping, n: int) -> Array:
    from apps.science.segments.store import open_store

    with open_store(segments) as h5:
        rows = np.unique(np.linspace(0, len(h5["weight"]) - 1, n).astype(int))
        atoms = h5["positions"][rows]
    return mapping.map_positions(atoms)


def read_prior(path: Path, mapping: Mapping) -> "Prior":
    """Read prior.yaml, or a published TorchMD prior, for the beads of ``mapping``."""
    from apps.science.cg.prior.terms import build_prior
    from apps.science.cg.prior.torchmd_yaml import read_tables

    return build_prior(mapping, read_tables(path))
