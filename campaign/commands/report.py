"""``weft report``: write the page anew, and pack what a supplement needs."""

from pathlib import Path
from typing import Annotated

import typer

from apps.science.errors import ConfigError
from campaign.opening.outside_code import use_code_of
from campaign.telling.terminal import make_console


def report(
    run_dir: Annotated[Path, typer.Argument(help="A run folder, runs/<name>.")],
    file: Annotated[
        Path | None,
        typer.Argument(
            help="With --bundle, the zip file to write.",
            show_default="RUN/report/..._supplement.zip",
        ),
    ] = None,
    bundle: Annotated[
        bool,
        typer.Option(
            "--bundle",
            help="Also pack what a supplement needs: settings, versions, figures with "
            "their numbers, checkpoints.",
        ),
    ] = False,
) -> None:
    """Write the report of a run anew from what it has so far."""
    from campaign.report.build import write_report
    from campaign.watching.status import read_status

    if file is not None and not bundle:
        raise ConfigError(
            f"{file} is named, but nothing is to be packed. Add --bundle, or leave "
            "the name out."
        )
    console = make_console(soft_wrap=True)
    read_status(run_dir)
    for sentence in use_code_of(run_dir):
        console.print(sentence)
    console.print(f"Report: {_from_here(write_report(run_dir.absolute()))}")
    if not bundle:
        return
    from campaign.commands.bundle import write_bundle

    packed = write_bundle(run_dir, file)
    shown = _from_here(packed.path.absolute())
    console.print(f"Bundle: {shown}, {packed.n_files} files")
    for one in packed.left_out:
        console.print(f"Too large to be packed: {one}")


def _from_here(path: Path) -> Path:
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path
