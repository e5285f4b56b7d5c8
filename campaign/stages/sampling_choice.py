"""Propagator and progress coordinate of sampling: chosen by kind, filled by the run."""

from typing import Any, Final

from pydantic import ValidationError

from apps.science import plugins
from apps.science.errors import UnknownKindError
from apps.science.pcoords.base import RUN, PcoordConfig
from apps.science.propagators.base import PropagatorConfig
from apps.science.systems.config import SystemConfig
from apps.science.units import count_steps
from apps.science.we.spec import PROPAGATORS
from campaign.layout.protein_dir import ProteinDir
from campaign.stages.kind_choice import OF_THE_RUN, OPENMM
from campaign.stages.sampling_config import SampleConfig

_SOMEWHERE: Final = "/run/system"


def fill_pcoord(config: PcoordConfig, paths: ProteinDir) -> dict[str, Any]:
    """Return settings with the files of a run in place of ``run``."""
    protein = paths.system / "protein.pdb"
    files = {
        "mapping": paths.mapping, "model": paths.tica, "topology": protein,
        "reference": protein,
    }  # fmt: skip
    settings = config.model_dump(mode="json", exclude_unset=True)
    for field, path in files.items():
        if settings.get(field) == RUN:
            settings[field] = str(path)
    return settings


def fill_propagator(
    sample: SampleConfig, system: SystemConfig, system_dir: str = _SOMEWHERE
) -> dict[str, Any]:
    """Return a propagator's settings; what is not given follows from the system.

    Raises
    ------
    UnknownKindError
        If there is no such kind.
    ValueError
        If a length is no whole number of steps.
    """
    given = dict(sample.propagator)
    kind = str(given.get("kind", OPENMM["kind"]))
    fields = plugins.load_kind(PROPAGATORS, kind).Config.model_fields
    timestep = read_timestep(sample, system)
    n_steps, per_frame = count_segment(sample, timestep)
    known = {
        "kind": kind,
        "system_dir": system_dir,
        "timestep_fs": timestep,
        "temperature_kelvin": system.temperature_kelvin,
        "friction_per_ps": system.friction_per_ps,
        "n_steps": n_steps,
        "n_steps_per_frame": per_frame,
        "platform": sample.platform,
        "exact_replay": sample.exact_replay,
    }
    return {k: v for k, v in known.items() if k in fields} | given


def read_timestep(sample: SampleConfig, system: SystemConfig) -> float:
    """Return the time step of sampling, fs.

    Raises
    ------
    ValueError
        If what is given is no length of time.
    """
    found = sample.propagator.get("timestep_fs", system.timestep_fs)
    if isinstance(found, bool) or not isinstance(found, int | float) or not found > 0:
        raise ValueError(
            f"sample.propagator.timestep_fs: expected a number above 0; found {found!r}"
        )
    return found


def count_segment(config: Any, timestep_fs: float) -> tuple[int, int]:
    """Return steps per segment and steps per frame of a WE section."""
    per_frame = count_steps(config.frame_interval_fs, timestep_fs, "frame", "steps")
    n_steps = count_steps(config.segment_length_fs, timestep_fs, "segment", "steps")
    return n_steps, per_frame


def check_choice(sample: SampleConfig, system: SystemConfig) -> None:
    """Check propagator, coordinate, bins and system against each other.

    Raises
    ------
    ValueError
        If they do not fit.
    """
    _check_propagator(sample, system)
    n_dim = sample.pcoord.n_coordinates
    if sample.bins.n_dim != n_dim:
        kind = sample.pcoord.kind
        named = "TICA" if kind == "tica" else kind
        raise ValueError(
            f"sample.bins divide {sample.bins.n_dim} coordinates; the {named} "
            f"progress coordinate has {n_dim}."
        )


def _check_propagator(sample: SampleConfig, system: SystemConfig) -> None:
    given = sample.propagator
    for key in OF_THE_RUN:
        if key in given:
            raise ValueError(
                f"sample.propagator.{key} follows from the system, "
                "sample.segment_length_fs and sample.frame_interval_fs. Leave it out."
            )
    kelvin = given.get("temperature_kelvin", system.temperature_kelvin)
    if kelvin != system.temperature_kelvin:
        raise ValueError(
            f"sample.propagator.temperature_kelvin is {kelvin}, that of the system "
            f"{system.temperature_kelvin:g}. Reference and prior are the system's: set "
            "system.temperature_kelvin."
        )
    try:
        settings = fill_propagator(sample, system)
        module = plugins.load_kind(PROPAGATORS, settings["kind"])
        config: PropagatorConfig = module.Config(**settings)
    except UnknownKindError as error:
        raise ValueError(f"sample.propagator: {error}") from None
    except ValidationError as error:
        raise ValueError(_say(error, sorted(module.Config.model_fields))) from None
    if config.moves != "atoms":
        raise ValueError(
            f"sample.propagator of kind {config.kind} moves {config.moves}; beads are "
            "learnt from the atoms of the system. Take one that moves atoms: openmm, "
            "or one of your own."
        )
    if not config.is_random:
        raise ValueError(
            f"sample.propagator of kind {config.kind} is deterministic with these "
            "settings: copies of a walker would never part, so splitting them gains "
            "nothing. Take dynamics with noise."
        )


def _say(error: ValidationError, keys: list[str]) -> str:
    first = error.errors(include_url=False)[0]
    where = ".".join(["sample.propagator", *map(str, first["loc"])])
    said = first["msg"].removeprefix("Value error, ")
    if first["type"] == "extra_forbidden":
        said = f"unknown key. The keys that exist: {', '.join(keys)}"
    elif first["type"] not in {"missing", "value_error"}:
        said = f"{said}; found {first['input']!r:.60}"
    return f"{where}: {said}."
