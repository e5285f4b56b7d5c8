"""``weft tune``: time against block size of a model on this machine, and the choice."""

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from campaign.commands.model_folder import find_model
from campaign.opening.outside_code import use_code_of
from campaign.telling.terminal import make_console

if TYPE_CHECKING:
    from apps.science.cg.simulation.block_size import Timing, Tuning


def tune(
    model: Annotated[
        Path, typer.Argument(help="A checkpoint, or runs/<name>/models/<model>.")
    ],
    picture: Annotated[
        Path, typer.Option("--out", help="Picture to write (PNG).")
    ] = Path("block_size.png"),
    largest: Annotated[int, typer.Option("--max", min=1, help="Largest block.")] = 1024,
    steps: Annotated[int, typer.Option(min=1, help="Steps of a segment.")] = 50,
    whole: Annotated[
        bool, typer.Option("--whole", help="Measure up to the largest block.")
    ] = False,
    protein: Annotated[
        str | None, typer.Option(help="Which, if model or run has several.")
    ] = None,
    prior: Annotated[
        Path | None, typer.Option(help="TorchMD prior of torchmd-net's checkpoint.")
    ] = None,
    psf: Annotated[
        Path | None, typer.Option(help="Beads of torchmd-net's checkpoint.")
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:0 ...")] = "auto",
    inference: Annotated[str, typer.Option(help="auto, exact or tabulated.")] = "auto",
) -> None:
    """Find how many replicas of a model to advance together on this machine."""
    model = find_model(model, protein)
    from apps.science.cg.simulation.block_size import cache_file, keep_tuning
    from apps.science.cg.simulation.tuning import tune_model

    out = make_console(soft_wrap=True)
    for sentence in use_code_of(model):
        out.print(sentence)
    out.print("  block   segment, s   replica-steps/s")
    tuning = tune_model(
        model, device, inference, steps, largest, whole, protein,
        lambda t: out.print(_row(t)), prior, psf,
    )  # fmt: skip
    best = max(tuning.timings, key=lambda t: t.replica_steps_per_s)
    gain = best.replica_steps_per_s / tuning.timings[0].replica_steps_per_s
    draw_curve(tuning, picture)
    keep_tuning(tuning)
    out.print(
        f"Chosen: {tuning.block} replicas ({tuning.inference}, {tuning.device}); "
        f"packing gains {gain:.1f} times over one."
    )
    out.print(f"Picture: {picture}. Kept in {cache_file()} for max_replicas: auto.")


def _row(timing: "Timing") -> str:
    return (
        f"{timing.block:7d} {timing.seconds:12.4f} {timing.replica_steps_per_s:17,.0f}"
    )


def draw_curve(tuning: "Tuning", path: Path) -> None:
    """Draw a segment's time, and the throughput, against block size."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    blocks = [t.block for t in tuning.timings]
    figure = Figure(figsize=(9, 3.8), layout="constrained")
    FigureCanvasAgg(figure)
    left, right = figure.subplots(1, 2)
    each = [1e3 * t.seconds / t.block for t in tuning.timings]
    left.plot(blocks, [1e3 * t.seconds for t in tuning.timings], "o-", label="block")
    left.plot(blocks, each, "s--", label="per replica")
    left.set_ylabel(f"time of a segment of {tuning.n_steps} steps, ms")
    left.set_yscale("log")
    left.legend()
    right.plot(blocks, [t.replica_steps_per_s for t in tuning.timings], "o-")
    right.set_ylabel("replica-steps/s")
    right.set_ylim(bottom=0)
    for axes in (left, right):
        axes.set_xscale("log", base=2)
        axes.set_xticks(blocks, [str(b) for b in blocks])
        axes.set_xlabel("block size, replicas")
        axes.axvline(tuning.block, color="0.6", lw=1, zorder=0)
        axes.spines[["top", "right"]].set_visible(False)
    right.annotate(
        f"chosen: {tuning.block}", (tuning.block, 0.04),
        xycoords=("data", "axes fraction"), textcoords="offset points",
        xytext=(4 if math.log2(tuning.block) < math.log2(blocks[-1]) / 2 else -4, 0),
        ha="left" if math.log2(tuning.block) < math.log2(blocks[-1]) / 2 else "right",
    )  # fmt: skip
    figure.suptitle(f"{tuning.n_beads} beads, {tuning.inference}, {tuning.device}")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=130)
