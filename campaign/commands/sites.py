"""The bodies of ``weft sites show`` and ``weft sites check``."""

import shlex
import shutil
import time
from collections.abc import Iterable
from pathlib import Path

import yaml
from rich.console import Console
from rich.table import Table
from rich.text import Text

from apps import roles
from apps.science.stopping import RUN_DIR_VARIABLE
from site_configs.checks.check import Check, check_site
from site_configs.checks.submit_script import submit_scripts
from site_configs.load import load_site
from site_configs.paths import check_run_path

READY, NOT_READY, BAD_SITE = 0, 1, 2
_STYLES = {"ok": "green", "look": "yellow", "mend": "bold red"}
_SCRIPT_FOLDER = Path("runs/NAME/parsl")


def show_site(name: str, out: Console) -> None:
    """Print a site with every default, and the scripts it would submit."""
    site = load_site(name)
    asked = site.model_dump(mode="json", exclude_none=True)
    out.print(yaml.safe_dump(asked, sort_keys=False))
    _print_scripts(name, out)


def check(name: str, out: Console, submit: bool, runs: Path, wait_s: float) -> int:
    """Print what is ready and what to mend; return the exit status.

    0: a campaign can run; 1: the probe did not come back as it should;
    2: the site file asks for something that is not there.
    """
    site = load_site(name)
    rows = check_site(site, roles.ALL)
    out.print(_table(f"site {site.name}: before anything is submitted", rows))
    if not all(row.ok for row in rows):
        out.print(f"Mend these, then: weft sites check {shlex.quote(name)}")
        return BAD_SITE
    if not submit:
        out.print(f"The submit scripts: weft sites show {shlex.quote(name)}")
        out.print(f"Next: weft sites check {shlex.quote(name)} --submit")
        return READY
    return _probe(name, out, runs, wait_s)


def _probe(name: str, out: Console, runs: Path, wait_s: float) -> int:
    """Send the probes; keep their folder only if something is to mend."""
    from campaign.driver.reaper import reap
    from site_configs.checks.probe import probe_site
    from site_configs.checks.probe_rows import judge

    site = load_site(name)
    folder = (runs / f".check-{site.name}-{time.strftime('%Y%m%d-%H%M%S')}").absolute()
    check_run_path(site, folder)
    out.print(f"Sending a task per role; a job may wait {wait_s:.0f} s in the queue.")
    try:
        probes = probe_site(
            site, folder, {RUN_DIR_VARIABLE: str(folder)}, roles.ALL, wait_s,
            lambda words: out.print(f"  {words}", style="dim"),
        )  # fmt: skip
    finally:
        reap(folder)
    rows = judge(site, probes)
    out.print(_table(f"site {site.name}: as its workers see it", rows))
    if all(row.ok for row in rows):
        shutil.rmtree(folder, ignore_errors=True)
        out.print(f"Next: weft run campaign.yaml --site {shlex.quote(name)}")
        return READY
    out.print(f"What the jobs and workers said in full: {folder}")
    return NOT_READY


def _table(title: str, rows: Iterable[Check]) -> Table:
    """Return the rows as a table whose last column takes what width is left."""
    table = Table(title=title, title_justify="left", show_lines=False, expand=False)
    table.add_column("where", no_wrap=True)
    table.add_column("what", no_wrap=True)
    table.add_column("", no_wrap=True)
    table.add_column("found", overflow="fold")
    last = ""
    for row in rows:
        if last and row.place != last:
            table.add_section()
        place, last = ("" if row.place == last else row.place), row.place
        word = "MEND" if row.level == "mend" else row.level
        table.add_row(
            place, row.what, Text(word, style=_STYLES[row.level]), Text(row.detail)
        )
    return table


def _print_scripts(name: str, out: Console) -> None:
    site = load_site(name)
    for label, script in submit_scripts(site, _SCRIPT_FOLDER, roles.ALL).items():
        out.print(f"# the script of a block for role {label}:")
        out.print(script)
