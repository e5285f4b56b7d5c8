"""Fit a prior to the frames of one or several proteins, check it, write it, read it."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from apps.science.arrays import Array
from apps.science.cg.dataset.file import Weights
from apps.science.cg.mapping.mapping import Mapping
from apps.science.cg.mapping.spelling import spell_beginning
from apps.science.cg.prior.config import PRESETS, Preset, PriorConfig, choose_preset
from apps.science.cg.prior.sources import (
    PriorSource,
    Protein,
    count_frames,
    naming,
    read_proteins,
    starting_frames,
)
from apps.science.cg.prior.tables import PriorTables
from apps.science.errors import NumericalError
from apps.science.files import write_json

if TYPE_CHECKING:
    from apps.science.cg.prior.terms import Prior

__all__ = [
    "FIT_SCHEMA", "PRESETS", "Preset", "PriorConfig", "PriorSource", "choose_preset",
    "fit_prior", "read_prior",
]  # fmt: skip

_log = logging.getLogger(__name__)

FIT_SCHEMA: Final = "weft-prior-fit-1"


@dataclass(frozen=True)
class _Gate:
    """What the stability gate saw of one protein.

    Attributes
    ----------
    described : ``n_steps``, ``passed`` (null: not run) and ``message``, or
        ``n_replicas``, ``timestep_fs``, ``seconds``, ``largest_deviation_sigma``,
        ``limit_sigma`` and ``strained_share``, how often the worst bond was past it
    frames : (n_frames, n_beads, 3), Angstrom; None: not run, or refused
    refused : why it does not let the prior pass, if it does not
    """

    described: dict[str, Any]
    frames: Array | None = None
    refused: NumericalError | None = None


def fit_prior(sources: Sequence[PriorSource], config: PriorConfig, out: Path) -> Path:
    """Fit one prior to the weighted frames of all ``sources`` and write prior.yaml.

    Each protein counts alike, however many frames or iterations it has. The frames are
    checked on the way: nothing is trained on frames without forces, in the wrong units
    or of another molecule. Then the prior alone is run for every protein; the reports
    are written even where that refuses it.

    Raises
    ------
    DataError
        If frames cannot be learnt from, there are fewer than a term has parameters, a
        parameter file lacks an entry, the proteins' beads are of different kinds, or
        equilibrium weights are asked for and a protein has none (WeightError).
    NumericalError
        If a frame is not finite, or prior-only dynamics of a protein is not stable.
    """
    from apps.science.cg.prior.counts import FitSettings
    from apps.science.cg.prior.curves import describe_fit
    from apps.science.cg.prior.fit import fit_tables
    from apps.science.cg.prior.terms import build_prior
    from apps.science.cg.prior.torchmd_yaml import write_tables

    proteins = read_proteins(sources)
    preset = choose_preset(config, proteins[0].mapping)
    given = None
    if config.parameters is not None:
        given = _read_parameters(config.parameters, config, preset)
    structure = given or _name_masses(preset, [p.mapping for p in proteins])
    settings = FitSettings(
        config.temperature_kelvin, config.n_shrink, preset.shared_dihedral,
        preset.dihedral_scale,
    )  # fmt: skip
    weights: Weights = config.weights or "raw"
    counted = []
    for protein in proteins:
        with naming(protein, proteins):
            counted.append(count_frames(protein, structure, settings, weights))
    tables = given or fit_tables(counted)
    _log.info(
        "prior: %s %s %d frames of %s at %.1f K, %s weights",
        ", ".join(tables.terms), "compared with" if given else "fitted to",
        sum(one.n_frames for one in counted),
        ", ".join(spell_beginning(p.mapping) for p in proteins),
        config.temperature_kelvin, weights,
    )  # fmt: skip
    refused: list[str] = []
    for protein, counts in zip(proteins, counted, strict=True):
        with naming(protein, proteins):
            prior = build_prior(protein.mapping, tables)
            gate = _run_gate(prior, protein, config)
        if protein.source.report is not None:
            described = {
                "schema": FIT_SCHEMA,
                "source": "fitted" if given is None else str(config.parameters),
                "temperature_kelvin": config.temperature_kelvin,
                "n_frames": counts.n_frames,
                "n_proteins": len(proteins),
                "weights": weights,
                "terms": describe_fit(
                    counts, tables, protein.mapping, settings, gate.frames
                ),
                "gate": gate.described,
            }
            write_json(protein.source.report, described)
        if gate.refused is not None:
            several = len(proteins) > 1
            refused.append(f"{protein.name}: " * several + str(gate.refused))
    if refused:
        raise NumericalError(" ".join(refused))
    return write_tables(tables, out)


def _name_masses(preset: Preset, mappings: Sequence[Mapping]) -> PriorTables:
    """Return tables without numbers but for the mass of every bead type."""
    masses: dict[str, float] = {}
    for mapping in mappings:
        masses |= dict(zip(mapping.types, mapping.masses_amu, strict=True))
    return PriorTables(preset.terms, preset.exclusions, masses=masses)


def _run_gate(prior: "Prior", protein: Protein, config: PriorConfig) -> _Gate:
    """Run the prior alone, if the config asks for it."""
    from apps.science.cg.prior.gate import check_prior

    gate: dict[str, Any] = {"n_steps": config.gate_steps, "passed": None}
    if not config.gate_steps:
        return _Gate(gate)
    starts = starting_frames(protein, config.gate_replicas)
    try:
        check = check_prior(
            prior, protein.mapping, starts, config.temperature_kelvin,
            config.gate_steps, timestep_fs=config.gate_timestep_fs,
        )  # fmt: skip
    except NumericalError as error:
        return _Gate(gate | {"passed": False, "message": str(error)}, refused=error)
    gate |= {
        "passed": True, "n_replicas": len(starts), "timestep_fs": check.timestep_fs,
        "seconds": check.seconds, "limit_sigma": check.limit,
        "largest_deviation_sigma": check.largest_deviation,
        "strained_share": check.strained_share,
    }  # fmt: skip
    return _Gate(gate, check.frames)


def _read_parameters(path: Path, config: PriorConfig, preset: Preset) -> PriorTables:
    """Read given numbers; the file's own terms hold unless others are asked for."""
    from apps.science.cg.prior.torchmd_yaml import read_tables

    tables = read_tables(path, preset.exclusions)
    if config.preset != "auto" or config.terms is not None:
        tables = replace(tables, terms=preset.terms)
    if config.preset != "auto" or config.exclusions is not None:
        tables = replace(tables, exclusions=preset.exclusions)
    return replace(tables, temperature_kelvin=config.temperature_kelvin)


def read_prior(path: Path, mapping: Mapping) -> "Prior":
    """Read prior.yaml, or a published TorchMD prior, for the beads of ``mapping``."""
    from apps.science.cg.prior.terms import build_prior
    from apps.science.cg.prior.torchmd_yaml import read_tables

    return build_prior(mapping, read_tables(path))
