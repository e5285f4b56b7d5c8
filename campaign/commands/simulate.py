"""``weft simulate``: a trained model's dynamics as trajectories."""

from pathlib import Path
from typing import Annotated, Any, get_args

import typer

from apps.science.errors import ConfigError
from campaign.commands.model_folder import find_model
from campaign.opening.outside_code import use_code_of
from campaign.telling.terminal import make_console


def simulate(
    model: Annotated[
        Path,
        typer.Argument(
            help="A checkpoint (weft's or torchmd-net's), or "
            "runs/<name>/models/<model>."
        ),
    ],
    folder: Annotated[Path, typer.Option("--out", help="Folder to write.")] = Path(
        "simulation"
    ),
    replicas: Annotated[
        int, typer.Option(min=1, help="Copies; with --temperatures, ladders.")
    ] = 1,
    steps: Annotated[int, typer.Option(min=1, help="Steps of each.")] = 100_000,
    every: Annotated[int, typer.Option(min=1, help="Steps between frames.")] = 100,
    temperature: Annotated[
        float | None, typer.Option(help="Kelvin.", show_default="the prior's")
    ] = None,
    temperatures: Annotated[
        str | None,
        typer.Option(help="Parallel tempering, rising, such as 300,330,363."),
    ] = None,
    exchange: Annotated[
        int, typer.Option(min=1, help="Steps between exchanges.")
    ] = 500,
    timestep_fs: Annotated[float, typer.Option(help="Time step.")] = 4.0,
    friction_per_ps: Annotated[float, typer.Option(help="Langevin friction.")] = 1.0,
    start: Annotated[
        Path | None,
        typer.Option(help="Beads to start from: PDB, XTC, DCD..., or a starts.npz."),
    ] = None,
    protein: Annotated[
        str | None, typer.Option(help="Which, if model or run has several.")
    ] = None,
    prior: Annotated[
        Path | None, typer.Option(help="TorchMD prior of torchmd-net's checkpoint.")
    ] = None,
    psf: Annotated[
        Path | None, typer.Option(help="Beads of torchmd-net's checkpoint.")
    ] = None,
    form: Annotated[str, typer.Option("--format", help="dcd or xtc.")] = "dcd",
    seed: Annotated[int, typer.Option(help="Decides all noise.")] = 1,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:0 ...")] = "auto",
    inference: Annotated[str, typer.Option(help="auto, exact or tabulated.")] = "auto",
) -> None:
    """Run copies of a trained model and write what they do."""
    model = find_model(model, protein)
    from apps.science.cg.simulation.files import Form
    from apps.science.cg.simulation.simulate import Settings
    from apps.science.cg.simulation.simulate import simulate as run
    from apps.science.propagators.cg import Inference

    written = choose(form, get_args(Form), "--format")
    computed = choose(inference, get_args(Inference), "--inference")
    out = make_console(soft_wrap=True)
    for sentence in use_code_of(model):
        out.print(sentence)
    settings = Settings(
        n_replicas=replicas, n_steps=steps, n_steps_per_frame=every,
        temperature_kelvin=temperature, ladder_kelvin=_parse(temperatures),
        n_steps_per_exchange=exchange, timestep_fs=timestep_fs,
        friction_per_ps=friction_per_ps, seed=seed, device=device,
        inference=computed, form=written,
    )  # fmt: skip
    with out.status("Compiling") as status:
        done = run(
            model, folder, settings, protein, start,
            lambda n, total: status.update(f"{n:,} of {total:,} steps"),
            prior, psf,
        )  # fmt: skip
    out.print(
        f"Wrote {done.n_frames} frames to {len(done.files)} trajectories and "
        f"{done.topology}: {done.replica_steps_per_s:,.0f} replica-steps/s."
    )
    for share, low, high in zip(
        done.exchanged, settings.ladder_kelvin, settings.ladder_kelvin[1:], strict=False
    ):
        out.print(f"Exchanges between {low:g} and {high:g} K: {share:.0%}")
    if done.n_failed:
        out.print(f"{done.n_failed} replicas ran away; their trajectories end early.")
    out.print(f"Open: mdtraj.load('{done.files[0]}', top='{done.topology}')")


def choose(given: str, known: tuple[str, ...], option: str) -> Any:
    """Return ``given``, one of ``known``.

    Raises
    ------
    ConfigError
        If it is none of them.
    """
    if given not in known:
        raise ConfigError(f"{option} {given!r} is none of {', '.join(known)}.")
    return given


def _parse(temperatures: str | None) -> list[float]:
    try:
        return [float(t) for t in (temperatures or "").split(",") if t.strip()]
    except ValueError:
        raise ConfigError(
            f"--temperatures {temperatures!r} are no numbers. Write 300,330,363."
        ) from None
