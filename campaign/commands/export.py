"""Export the WE runs of a campaign: which there are, and what they recorded."""

from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

from apps.science import plugins
from apps.science.arrays import Array
from apps.science.errors import ConfigError
from apps.science.segments.export import (
    Exported,
    TrajectoryFormat,
    export_trajectory,
    last_exportable,
    parse_range,
)
from apps.science.we.spec import PROPAGATORS, PropagationSpec, read_spec, read_starts
from campaign.declared import we_folder
from campaign.layout.protein_dir import ProteinDir
from campaign.opening.run_folder import check_is_run
from campaign.opening.told import read_stages
from campaign.stages.names import at_protein

FORMATS = ("dcd", "xtc", "westpa")


def export_run(
    run_dir: Path,
    form: str = "dcd",
    iterations: str | None = None,
    out: Path | None = None,
    stage: str | None = None,
) -> Exported:
    """Write the segments of one WE stage of a run in a format of other tools.

    Parameters
    ----------
    form : one of FORMATS
    stage : which ran WE; None is the first that did
    iterations : ``A:B``, both included; None is all
    out : folder to write; None is export/<stage>_<format> in the run folder

    Raises
    ------
    ConfigError
        If there is no such run, stage, format or iteration.
    """
    if form not in FORMATS:
        raise ConfigError(f"No format {form!r}. The formats: {', '.join(FORMATS)}.")
    paths = ProteinDir.at(run_dir)
    stage, folder = _find_stage(paths, stage)
    paths = replace(paths, protein=read_stages(paths)[stage].of.get("proteins"))
    first, last = parse_range(iterations, last_exportable(folder))
    spec = read_spec(folder / "propagation.json")
    starts = _recorded_starts(paths, folder, spec)
    topology = _topology(paths, spec, starts)
    frame_ps = _frame_ps(spec)
    out = (out or paths.root / "export" / f"{stage}_{form}").absolute()
    if form == "westpa":
        from apps.science.segments.export_westpa import export_westpa

        return export_westpa(folder, topology, out, first, last, frame_ps, starts)
    kind = next(kind for kind in get_args(TrajectoryFormat) if kind == form)
    return export_trajectory(folder, topology, out, kind, first, last, frame_ps)


def _find_stage(paths: ProteinDir, stage: str | None) -> tuple[str, Path]:
    """Return a stage that sampled by WE, as it is called, and its folder."""
    check_is_run(paths.root, paths.resolved)
    declared = read_stages(paths)
    folders = {
        name: folder
        for name in declared
        if (folder := we_folder(paths, declared[name])) is not None
        and (folder / "propagation.json").exists()
    }
    mine = [
        name
        for name in folders
        if paths.protein in {None, declared[name].of.get("proteins")}
    ]
    asked = (at_protein(stage, paths.protein), stage) if stage else mine
    found = next((name for name in asked if name in folders), None)
    if found is None:
        what = f" {stage!r}" if stage else ""
        raise ConfigError(
            f"{paths.root.name} has no weighted-ensemble stage{what} to export. Those "
            f"that began: {', '.join(folders) or 'none'}."
        )
    return found, folders[found]


def _recorded_starts(paths: ProteinDir, folder: Path, spec: PropagationSpec) -> Array:
    """Return the basis states, (n_starts, n_recorded, 3), Angstrom."""
    given = Path(spec.starts)
    # a run folder may have been moved
    beside = [given, folder / given.name, paths.system / given.name]
    starts = read_starts(next((p for p in beside if p.exists()), given))
    if _what_moves(spec) != "atoms":
        return starts.positions
    from apps.science.systems.info import read_system_info

    recorded: Array = starts.positions[:, read_system_info(paths.system).recorded_atoms]
    return recorded


def _what_moves(spec: PropagationSpec) -> str:
    """Return atoms, beads or points."""
    return str(plugins.load_kind(PROPAGATORS, spec.propagator["kind"]).Config.moves)


def _topology(paths: ProteinDir, spec: PropagationSpec, starts: Array) -> Any:
    """Return the mdtraj Topology of what the propagator records."""
    from apps.science.cg.mapping.mapping import read_mapping
    from apps.science.segments import topology

    moved = _what_moves(spec)
    if moved == "atoms":
        from apps.science.systems.info import PROTEIN_PDB

        return topology.read_atoms(paths.system / PROTEIN_PDB)
    if moved == "beads":
        return topology.make_beads(read_mapping(paths.mapping))
    return topology.make_points(starts.shape[1])


def _frame_ps(spec: PropagationSpec) -> float:
    """Return the time between frames."""
    plugin = plugins.load_kind(PROPAGATORS, spec.propagator["kind"])
    config = plugin.Config(**spec.propagator)
    return float(config.timestep_fs * config.n_steps_per_frame / 1000)
