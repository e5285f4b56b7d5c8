"""The ``weft`` command: parse, call one function, print what to type next."""

import contextlib
import json
import os
import signal
import sys
import time
from pathlib import Path
from typing import Annotated

import typer

from apps.science.errors import ConfigError, WeftError
from campaign.commands.benchmark import benchmark
from campaign.commands.faults import leave_quietly, say_fault, terminal_is_gone
from campaign.commands.report import report
from campaign.commands.schema import schema
from campaign.commands.simulate import simulate
from campaign.commands.tune import tune
from campaign.telling.own_command import as_typed
from campaign.telling.terminal import make_console, speak_any_encoding
from site_configs.errors import SiteError

app = typer.Typer(
    help="Weighted-ensemble force-field training campaigns.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
sites_app = typer.Typer(help="Clusters a campaign can run on.", no_args_is_help=True)
app.add_typer(sites_app, name="sites")

CampaignFile = Annotated[Path, typer.Argument(help="A campaign.yaml.")]
RunFolder = Annotated[Path, typer.Argument(help="A run folder, runs/<name>.")]
SiteName = Annotated[str, typer.Option("--site", help="A site's name or YAML file.")]
Detach = Annotated[
    bool, typer.Option("--detach", help="Leave the driver running; survives logout.")
]
Submit = Annotated[
    bool, typer.Option("--submit", help="Run the driver itself as a batch job.")
]
Walltime = Annotated[
    str | None, typer.Option(help="Of the driver's job, HH:MM:SS.", show_default="site")
]
Again = Annotated[
    bool,
    typer.Option(
        "--again", help="Take changed settings; set aside and redo what reads them."
    ),
]
Keep = Annotated[
    bool,
    typer.Option("--keep", help="Keep what was made from files that differ now."),
]
OtherVersions = Annotated[
    bool,
    typer.Option(
        "--other-versions", help="Go on with other packages than it was begun with."
    ),
]
NewPlugins = Annotated[
    bool,
    typer.Option("--new-plugins", help="Take plug-ins as they are now; keep the done."),
]
RunsFolder = Annotated[Path, typer.Option("--runs", help="Where run folders go.")]

out = make_console(soft_wrap=True)


@app.command()
def init(
    name: Annotated[str, typer.Argument(help="Name of the campaign.")],
    kind: Annotated[str, typer.Option("--type", help="Campaign type.")] = "force_field",
    path: Annotated[Path, typer.Option("--out", help="File to write.")] = Path(
        "campaign.yaml"
    ),
    preset: Annotated[
        str | None, typer.Option("--preset", help="Published settings, such as thesis.")
    ] = None,
) -> None:
    """Write a first campaign.yaml to edit."""
    from campaign.commands.init import write_template

    write_template(path, name, kind, preset)
    out.print(f"Wrote {path}. Edit it, then: weft validate {as_typed(path)}")


@app.command()
def validate(
    campaign: CampaignFile,
    site: SiteName = "local",
    runs: RunsFolder = Path("runs"),
    probe: Annotated[
        bool, typer.Option("--probe", help="Run it in miniature there, and say times.")
    ] = False,
) -> None:
    """Check a campaign and a site, and say what it will take; start nothing."""
    from campaign.commands.validate import validate_campaign

    validate_campaign(campaign, site, runs, probe, out)


@app.command()
def run(
    campaign: CampaignFile,
    site: SiteName = "local",
    runs: RunsFolder = Path("runs"),
    detach: Detach = False,
    submit: Submit = False,
    walltime: Walltime = None,
) -> None:
    """Run a campaign from its start."""
    from campaign.driver.submit import check_walltime
    from campaign.opening.outside_code import use_code_for
    from campaign.opening.start import start_campaign

    check_walltime(walltime)
    for sentence in use_code_for(campaign):
        out.print(sentence)
    _drive(start_campaign(campaign, site, runs).root, detach, submit, walltime, [])


@app.command()
def resume(
    run_dir: RunFolder,
    detach: Detach = False,
    submit: Submit = False,
    walltime: Walltime = None,
    again: Again = False,
    keep: Keep = False,
    other_versions: OtherVersions = False,
    new_plugins: NewPlugins = False,
) -> None:
    """Continue a campaign that was stopped or killed."""
    from campaign.driver.submit import check_walltime
    from campaign.opening.outside_code import renew_code, use_code_of

    check_walltime(walltime)
    if again and keep:
        raise ConfigError("--again and --keep contradict each other. Give one of them.")
    said = renew_code(run_dir) if new_plugins else []
    for sentence in [*said, *use_code_of(run_dir)]:
        out.print(sentence)
    asked = {
        "--again": again, "--keep": keep, "--other-versions": other_versions,
    }  # fmt: skip
    options = [name for name, given in asked.items() if given]
    _drive(run_dir, detach, submit, walltime, options)


@app.command()
def stop(
    run_dir: RunFolder,
    now: Annotated[
        bool, typer.Option("--now", help="Cut tasks off instead of letting them end.")
    ] = False,
    patience_s: Annotated[
        float, typer.Option("--wait", help="Seconds to wait for the driver to leave.")
    ] = 600.0,
) -> None:
    """Ask a running driver to finish its tasks and leave."""
    from campaign.driver.stop import ask_to_stop, interrupt, wait_until_left

    paths = ask_to_stop(run_dir)
    if now:
        interrupt(paths)
    out.print("Asked to stop; waiting for the tasks that have begun.")
    left = wait_until_left(paths, patience_s)
    out.print("The driver has left." if left else "The driver still waits for tasks.")
    out.print(f"Continue with: weft resume {as_typed(run_dir)}")


def _drive(
    run_dir: Path, detach: bool, submit: bool, walltime: str | None, options: list[str]
) -> None:
    if detach or submit:
        _leave_to_itself(run_dir, submit, walltime, options)
        return
    from campaign.opening.resume import Allowed, open_campaign
    from campaign.run import run_campaign
    from campaign.watching.display import watch

    run = open_campaign(run_dir, Allowed.of(options))
    for sentence in run.said:
        out.print(sentence)
    shown = as_typed(run_dir)
    try:
        report = run_campaign(run, watch)
    except KeyboardInterrupt:
        out.print(f"\nStopped. Nothing is lost; continue with: weft resume {shown}")
        raise typer.Exit(1) from None
    out.print("Done." if report is None else f"Done. Report: {_relative(report)}")


def _leave_to_itself(
    run_dir: Path, submit: bool, walltime: str | None, options: list[str]
) -> None:
    from campaign.driver.detach import start_detached
    from campaign.driver.submit import submit_driver
    from campaign.opening.resume import Allowed, open_campaign

    run = open_campaign(run_dir, Allowed.of(options))
    for sentence in run.said:
        out.print(sentence)
    shown = as_typed(run.paths.root)
    if submit:
        where = f"batch job {submit_driver(run_dir, walltime, options)}"
    else:
        process = start_detached(run_dir, options)
        if process is None:
            out.print(f"The driver has ended: nothing is left to do in {shown}.")
            return
        where = f"process {process}; this terminal may be closed"
    out.print(f"The driver runs as {where}.")
    out.print(f"Look: weft status {shown} --watch    Stop: weft stop {shown}")
    out.print(f"As a page: weft watch {shown}")


@app.command()
def status(
    run_dir: RunFolder,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    watch: Annotated[bool, typer.Option("--watch", help="Refresh.")] = False,
) -> None:
    """Show what is done, running and left."""
    from campaign.watching.status import StatusReader

    reader = StatusReader(run_dir)
    found = reader.read()
    if as_json:
        print(json.dumps(found, indent=1))
        return
    from rich.live import Live

    from campaign.watching.display import status_view

    if not watch:
        out.print(status_view(found, out.width))
        if found["state"] in {"interrupted", "failed"}:
            out.print(f"Next: weft resume {as_typed(run_dir)}")
        return
    with Live(status_view(found, out.width), console=out, auto_refresh=False) as live:
        while found["state"] in {"queued", "running"}:
            time.sleep(1.0)
            found = reader.read()
            live.update(status_view(found, out.width), refresh=True)


@app.command()
def watch(
    run_dir: RunFolder,
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="On this computer; 0: any free.")
    ] = 8350,
) -> None:
    """Serve a page that shows a run as it goes on; end it with Ctrl-C."""
    from campaign.watching.page.server import WatchServer

    # started in the background of a script it would inherit SIGINT ignored
    signal.signal(signal.SIGINT, signal.default_int_handler)
    with WatchServer(run_dir, port) as server:
        out.print(f"Watching {run_dir} at {server.url}")
        if "SSH_CONNECTION" in os.environ:
            number, host = server.server_port, os.uname().nodename
            out.print(f"From your computer: ssh -L {number}:127.0.0.1:{number} {host}")
        out.print("Ctrl-C ends the page, not the run.")
        with contextlib.suppress(KeyboardInterrupt):
            server.serve_forever()


app.command()(report)


@app.command()
def export(
    run_dir: RunFolder,
    form: Annotated[
        str, typer.Option("--format", help="dcd, xtc, or westpa (its HDF5 framework).")
    ] = "dcd",
    iterations: Annotated[
        str | None, typer.Option(help="Such as 3:7, both included.", show_default="all")
    ] = None,
    folder: Annotated[
        Path | None,
        typer.Option("--out", help="Folder to write.", show_default="RUN/export/..."),
    ] = None,
    stage: Annotated[
        str | None,
        typer.Option(help="Stage that ran WE.", show_default="the first that did"),
    ] = None,
) -> None:
    """Write the segments of a WE stage, with their weights, for other tools."""
    from campaign.commands.export import export_run
    from campaign.opening.outside_code import use_code_of

    for sentence in use_code_of(run_dir):
        out.print(sentence)
    done = export_run(run_dir, form, iterations, folder, stage)
    out.print(
        f"Wrote {done.n_frames} frames: {done.n_segments} segments of "
        f"{done.n_iterations} iterations, to {_relative(done.files[-1].parent)}"
    )


@app.command()
def data(
    path: Annotated[
        Path, typer.Argument(help="segments.h5, dataset.h5, or a run folder.")
    ],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show what is in a data file: frames, weights, units, hashes."""
    from campaign.commands.data import describe, show

    if as_json:
        print(json.dumps(describe(path), indent=1))
    else:
        show(path, out)


app.command()(benchmark)
app.command()(tune)
app.command()(simulate)
app.command()(schema)


@sites_app.command("list")
def sites_list() -> None:
    """List the sites that come with weft."""
    from site_configs.load import list_sites

    for name, description in list_sites():
        out.print(f"{name:16} {description}")


@sites_app.command("show")
def sites_show(
    site: Annotated[str, typer.Argument(help="Name, YAML or Python file.")],
) -> None:
    """Show a site with every default, and the scripts it would submit."""
    from campaign.commands.sites import show_site

    show_site(site, out)


@sites_app.command("check")
def sites_check(
    site: Annotated[str, typer.Argument(help="Name, YAML or Python file.")],
    submit: Annotated[
        bool, typer.Option("--submit", help="Send one probe task per role.")
    ] = False,
    runs: RunsFolder = Path("runs"),
    wait_s: Annotated[
        float, typer.Option("--wait", help="Seconds a job may wait in the queue.")
    ] = 60.0,
) -> None:
    """Check that a site can be used from here, and what its workers see."""
    from campaign.commands.sites import check

    status = check(site, make_console(), submit, runs, wait_s)
    if status:
        raise typer.Exit(status)


def _relative(path: Path) -> Path:
    """Return the path as seen from here where it lies below."""
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path


def main() -> None:
    """Run the command; exit 0 done, 1 failed, 2 bad configuration."""
    speak_any_encoding()
    # a folder that a run is started in may hold another project's apps/ or campaign/
    os.environ["PYTHONSAFEPATH"] = "1"
    try:
        app()
    except (ConfigError, SiteError) as error:
        _leave(str(error), 2)
    except WeftError as error:
        _leave(str(error), 1)
    except BrokenPipeError:
        leave_quietly()
        sys.exit(1)
    except Exception as error:
        if terminal_is_gone():
            leave_quietly()
            sys.exit(1)
        _leave(say_fault(error, sys.argv[1:]), 1)


def _leave(said: str, status: int) -> None:
    print(f"weft: {said}", file=sys.stderr)
    sys.exit(status)


if __name__ == "__main__":
    main()
