"""The body of ``weft benchmark``: any models against any reference, in one table."""

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer
import yaml
from rich.console import Console
from rich.table import Table
from rich.text import Text

from apps.science.errors import ConfigError, DataError
from campaign.opening.outside_code import use_code_of
from campaign.telling.terminal import make_console
from campaign.telling.words import number

if TYPE_CHECKING:
    from apps.science.benchmark.model_kinds import Judged
    from apps.science.benchmark.reference_set import ReferenceSet

_TRAINED, _YAML, _HDF5 = {".pt", ".ckpt"}, {".yaml", ".yml"}, {".h5", ".hdf5"}
_OF_DENSITIES: Final = ("js", "w1")
"""Said by KL already; they are in metrics.json and table.csv."""


def benchmark(
    reference: Annotated[
        Path,
        typer.Argument(
            help="A run folder, a trajectory that mdtraj reads, or a reference-<hash> "
            "folder made of one."
        ),
    ],
    models: Annotated[
        list[str],
        typer.Argument(
            help="[NAME=]WHAT each: best.pt, a .ckpt of torchmd-net, prior.yaml, go, a "
            "system folder (all-atom engine), a run folder (its models), frames.h5, "
            "TRAJECTORY[@WEIGHTS]."
        ),
    ],
    out: Annotated[Path, typer.Option(help="Folder to write.")] = Path("benchmark"),
    topology: Annotated[
        Path | None, typer.Option(help="Structure with the atoms of trajectories.")
    ] = None,
    weights: Annotated[
        Path | None, typer.Option(help="One a frame of the reference: npy, npz, text.")
    ] = None,
    beads: Annotated[
        str, typer.Option(help="Of a reference brought: calpha, backbone, backbone_cb.")
    ] = "calpha",
    lag_ps: Annotated[
        float, typer.Option(min=0, help="Of TICA on a reference brought.")
    ] = 100.0,
    features: Annotated[
        str, typer.Option(help="Of that TICA: distances or dihedrals.")
    ] = "distances",
    interval_ps: Annotated[
        float | None,
        typer.Option(help="Between frames, where files are silent."),
    ] = None,
    native: Annotated[
        Path | None, typer.Option(help="Native structure: .pdb, or .npy of beads.")
    ] = None,
    prior: Annotated[
        Path | None, typer.Option(help="Of a checkpoint that does not hold its own.")
    ] = None,
    psf: Annotated[
        Path | None,
        typer.Option(
            help="Beads of torchmd-net's checkpoints.", show_default="reference's"
        ),
    ] = None,
    folded_below: Annotated[
        float | None,
        typer.Option(help="RMSD, Å, of the folded state.", show_default="by size"),
    ] = None,
    run_ps: Annotated[float, typer.Option(help="Length of model replicas.")] = 200.0,
    replicas: Annotated[int, typer.Option(min=1, help="Replicas of a model.")] = 32,
    frame_ps: Annotated[float, typer.Option(help="Between a model's frames.")] = 1.0,
    timestep_fs: Annotated[float, typer.Option(help="Of a model's dynamics.")] = 4.0,
    temperature: Annotated[
        float | None,
        typer.Option(help="Kelvin; needed for dG.", show_default="reference's"),
    ] = None,
    go_epsilon: Annotated[
        float, typer.Option(help="kcal/mol of one contact of a Go model.")
    ] = 1.0,
    burn_in: Annotated[
        float, typer.Option(min=0, max=0.99, help="Share of a model's run left out.")
    ] = 0.25,
    n_bootstrap: Annotated[int, typer.Option("--bootstrap", min=2)] = 200,
    seed: int = 0,
    device: Annotated[str, typer.Option(help="cpu, cuda, or auto.")] = "auto",
) -> None:
    """Judge models, priors, engines or trajectories against a reference."""
    from apps.science.benchmark.judge_models import judge_models
    from apps.science.benchmark.plain_dynamics import RunSettings

    console = make_console()
    runs = [reference, *(Path(split_name(text)[1]) for text in models)]
    for sentence in dict.fromkeys(said for path in runs for said in use_code_of(path)):
        console.print(sentence, soft_wrap=True)
    settings = RunSettings(
        n_ps=run_ps, n_replicas=replicas, frame_interval_ps=frame_ps,
        timestep_fs=timestep_fs, temperature_kelvin=temperature, device=device,
        seed=seed,
    )  # fmt: skip
    found = find_reference(
        reference, out,
        {
            "topology": topology, "weights": weights, "beads": beads,
            "lag_ps": lag_ps, "features": features, "interval_ps": interval_ps,
        },
        native, temperature,
    )  # fmt: skip
    judged: dict[str, Judged] = {}
    for text in models:
        for name, model in parse_model(
            text, topology, interval_ps, prior, go_epsilon, psf
        ).items():
            if name in judged:
                raise ConfigError(
                    f"Two models are called {name!r}. Give one another name: "
                    f"OTHER={text}"
                )
            judged[name] = model
    # what it warns of is said once, below the table
    logging.getLogger("apps.science.benchmark").addHandler(logging.NullHandler())
    body = judge_models(
        found, judged, settings, out.absolute(), burn_in, n_bootstrap, folded_below,
        lambda said: console.print(said, style="dim"),
    )  # fmt: skip
    show(body, console)
    console.print(f"Wrote {out}/metrics.json, table.csv, and a folder for each model.")


def find_reference(
    path: Path,
    out: Path,
    given: dict[str, Any],
    native: Path | None,
    temperature: float | None,
) -> "ReferenceSet":
    """Return the reference that ``path`` means; one brought is cached in ``out``."""
    from dataclasses import replace

    from apps.science.benchmark.reference_set import (
        REFERENCE_JSON,
        BroughtReference,
        bring_reference,
        open_reference,
    )

    if not path.exists():
        raise DataError(f"{path} does not exist. Give a run folder or a trajectory.")
    if path.is_file():
        if given["features"] not in {"distances", "dihedrals"}:
            raise ConfigError(
                f"There are no features {given['features']!r}: choose distances or "
                "dihedrals."
            )
        found = bring_reference(
            BroughtReference(trajectories=[path.absolute()], **given), out.absolute()
        )
    elif given["weights"] is not None:
        raise ConfigError(
            f"--weights are those of a reference trajectory, and {path} is a folder. "
            "Give a model's as TRAJECTORY@WEIGHTS."
        )
    elif (path / REFERENCE_JSON).is_file():
        found = open_reference(path.absolute())
    else:
        found = read_run(path.absolute())
    if native is not None:
        found = replace(found, native=native.absolute())
    if temperature is not None:
        found = replace(found, temperature_kelvin=temperature)
    if found.native is not None:
        found.read_native()
    return found


def read_run(folder: Path) -> "ReferenceSet":
    """Return the reference that a campaign made."""
    from apps.science.benchmark.reference_set import ReferenceSet
    from apps.science.systems.info import PROTEIN_PDB, read_system_info
    from campaign.layout.protein_dir import ProteinDir

    run = ProteinDir.at(folder)
    if run.proteins and run.protein is None:
        raise DataError(
            f"{folder} has a reference of each of its proteins. Name one: "
            f"{', '.join(str(folder / 'proteins' / p) for p in run.proteins)}."
        )
    if not run.reference_frames.is_file() or not run.mapping.is_file():
        raise DataError(
            f"{folder} has no reference yet (reference/frames.h5 and "
            "cg/mapping.json). Give a run folder whose tica stage is done."
        )
    structure = run.system / PROTEIN_PDB
    asked = {}
    if run.resolved.is_file():
        asked = yaml.safe_load(run.resolved.read_text(encoding="utf-8"))
    systems = {None: asked.get("system")} | asked.get("proteins", {})
    is_fold = (systems.get(run.protein) or {}).get("sequence") is None
    return ReferenceSet(
        frames=run.reference_frames,
        mapping=run.mapping,
        tica=run.tica if run.tica.is_file() else None,
        native=structure if is_fold and structure.is_file() else None,
        topology=structure if structure.is_file() else None,
        temperature_kelvin=read_system_info(run.system).temperature_kelvin,
    )


def parse_model(
    text: str,
    topology: Path | None = None,
    interval_ps: float | None = None,
    prior: Path | None = None,
    go_epsilon: float = 1.0,
    psf: Path | None = None,
) -> "dict[str, Judged]":
    """Return by name what one argument asks to judge.

    Raises
    ------
    DataError
        If nothing of that name exists, or a folder holds nothing to judge.
    """
    from apps.science.benchmark import model_kinds as kinds

    name, what = split_name(text)
    if what == "go":
        return {name or "go": kinds.GoModel(go_epsilon)}
    path, weights = Path(what), None
    if not path.exists() and "@" in what:
        trajectory, _, beside = what.rpartition("@")
        path, weights = Path(trajectory), Path(beside).absolute()
    if not path.exists():
        raise DataError(
            f"{what} does not exist. Give a checkpoint, a prior.yaml, go, a system or "
            "run folder, frames.h5, or TRAJECTORY[@WEIGHTS]."
        )
    path = path.absolute()
    if path.is_dir():
        return _find_in_folder(path, name)
    if weights is None and path.suffix in _TRAINED:
        return _find_checkpoint(path, name, prior, psf)
    if weights is None and path.suffix in _YAML:
        return {name or "prior": kinds.PriorAlone(path)}
    if weights is None and path.suffix in _HDF5 and _is_frames(path):
        return {name or path.stem: kinds.GivenFrames(path)}
    return {
        name or path.stem: kinds.GivenTrajectory(path, weights, topology, interval_ps)
    }


def split_name(text: str) -> tuple[str | None, str]:
    """Return the name, if one is given, and what is named."""
    name, equals, what = text.partition("=")
    if equals and "/" not in name and not Path(text).exists():
        return name, what
    return None, text


def _find_checkpoint(
    path: Path, name: str | None, prior: Path | None, psf: Path | None
) -> "dict[str, Judged]":
    from apps.science.benchmark import model_kinds as kinds
    from apps.science.cg.published.lightning_file import is_lightning

    if is_lightning(path):
        files = [None if p is None else p.absolute() for p in (prior, psf)]
        return {name or path.stem: kinds.PublishedModel(path, *files)}
    # models/<name>/checkpoints/best.pt, its prior in cg/
    folder = path.parent.parent
    own = folder.parent.parent / "cg" / "prior.yaml"
    chosen = prior or (own if own.is_file() else None)
    inside = path.parent.name == "checkpoints"
    named = name or (folder.name if inside else path.stem)
    return {named: kinds.TrainedModel(path, chosen)}


def _find_in_folder(path: Path, name: str | None) -> "dict[str, Judged]":
    from apps.science.benchmark import model_kinds as kinds
    from apps.science.systems.info import SYSTEM_JSON

    if (path / SYSTEM_JSON).is_file():
        return {name or "all_atom": kinds.AllAtomEngine(path)}
    found: dict[str, Judged] = {
        frames.parent.name
        if name is None
        else f"{name}_{frames.parent.name}": kinds.GivenFrames(frames)
        for frames in sorted(path.glob("benchmark/*/frames.h5"))
    }
    if found:
        # weighted first, as everywhere
        return dict(sorted(found.items(), key=lambda f: "unweighted" in f[0]))
    raise DataError(
        f"{path} holds nothing to judge: neither system.json nor "
        "benchmark/<model>/frames.h5. Give a prepared system, or a run whose models "
        "are benchmarked."
    )


def _is_frames(path: Path) -> bool:
    import h5py

    from apps.science.segments.frames import SCHEMA

    try:
        with h5py.File(path, "r", locking=False) as h5:
            found = h5.attrs.get("schema")
    except OSError as error:
        raise DataError(f"{path} cannot be read as HDF5 ({error}).") from None
    if isinstance(found, str) and found.startswith("weft-") and found != SCHEMA:
        raise DataError(
            f"{path} is a {found} file, not a set of weighted frames ({SCHEMA}). Give "
            "the frames.h5 of a benchmark, or a trajectory."
        )
    return bool(found == SCHEMA)


def show(body: dict[str, Any], console: Console) -> None:
    """Print the table, the ranks, and what is not defined."""
    names = list(body["models"])
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("figure", no_wrap=True)
    for name in names:
        table.add_column(name, no_wrap=True)
    table.add_column("floor", style="dim", no_wrap=True)
    for row in body["table"]:
        if row["figure"] in _OF_DENSITIES:
            continue
        unit = f", {row['unit']}" if row["unit"] else ""
        floors = [s["floor"] for s in row["scores"].values() if s["floor"] is not None]
        table.add_row(
            f"{row['metric']} {row['figure']}{unit}",
            *(_cell(row["scores"].get(name)) for name in names),
            number(floors[0]) if floors else "",
        )
    console.print(table)
    console.print(
        "95 % intervals; floor: the reference against itself. * better than every "
        "other model by more than the intervals explain; ~ within twice the floor.",
        style="dim",
    )
    for warning in body["warnings"]:
        console.print(f"Beware: {warning}", style="yellow")
    for label, why in _undefined(body).items():
        console.print(f"Not defined: {label} ({why}).", style="dim")
    if len(names) > 1:
        for standing in body["ranking"]:
            better = ", ".join(
                f"{other} on {n}" for other, n in standing["better_than"].items() if n
            )
            said = f"; better beyond chance than {better}" if better else ""
            console.print(
                f"{standing['place']}. {standing['model']}: mean rank "
                f"{number(standing['mean_rank'])}{said}"
            )


def _cell(score: dict[str, Any] | None) -> Text:
    if score is None:
        return Text("not defined", style="dim")
    near = score["over_floor"] is not None and score["over_floor"] <= 2
    mark = ("*" if score["leads"] else "") + ("~" if near else "")
    interval = f"\n{number(score['low'])}..{number(score['high'])}"
    style = "bold" if score["leads"] else ""
    text = Text(f"{mark}{number(score['value'])}", style=style)
    return text.append(interval, style="dim not bold")


def _undefined(body: dict[str, Any]) -> dict[str, str]:
    """Return the metrics without a figure by label, and of which model if not all."""
    found: dict[str, dict[str, str]] = {}
    for model, one in body["models"].items():
        for metric in one["metrics"].values():
            if not metric["defined"]:
                found.setdefault(metric["label"], {})[model] = metric["reason"]
    said = {}
    for label, reasons in found.items():
        if len(reasons) == len(body["models"]) and len(set(reasons.values())) == 1:
            said[label] = next(iter(reasons.values()))
        else:
            said[label] = "; ".join(f"{m}: {why}" for m, why in reasons.items())
    return said
