"""The body of ``weft validate``: what is simulated, what it will do and take."""

import shlex
from pathlib import Path

from rich.console import Console

from apps import roles
from campaign.campaign_type import load_type
from campaign.commands.estimate_words import list_lines, make_table, stage_seconds
from campaign.config import (
    CampaignConfig,
    check_campaign,
    describe_campaign,
    load_campaign,
)
from campaign.estimate.kept import keep_probe, list_work
from campaign.opening.outside_code import use_code_for
from campaign.telling.own_command import as_typed
from site_configs.load import check_roles, load_site
from site_configs.paths import check_run_path
from site_configs.ready import check_filled_in
from site_configs.schema import Site

WIDEST = 110


def validate_campaign(
    source: Path, site_name: str, runs: Path, probe: bool, out: Console
) -> None:
    """Check a campaign and a site, and print what would be done; start no campaign.

    Parameters
    ----------
    probe : run the campaign in miniature on the site, to measure times

    Raises
    ------
    ConfigError, SiteError
        If anything is wrong.
    """
    for line in use_code_for(source):
        out.print(line)
    config = load_campaign(source)
    check_campaign(config)
    site = load_site(site_name)
    check_roles(site, roles.ALL)
    check_filled_in(site)
    check_run_path(site, (runs / config.name).absolute())
    out.print(f"{source} is fine: {config.type} campaign {config.name}.")
    say_preset = load_type(config.type).say_preset
    for line in say_preset(config) if say_preset else ():
        out.print(line)
    for name, said in describe_campaign(config).items():
        out.print(f"What is simulated{'' if name is None else f' of {name}'}:")
        for heading, sentence in said.items():
            out.print(f"  {heading}: {sentence}")
    counted = _print_estimate(config, site, site_name, runs, probe, out)
    again = f"{as_typed(source)} --site {shlex.quote(site_name)}"
    if counted and not probe:
        out.print(f"Times on this site: weft validate {again} --probe")
    out.print(f"Next: weft run {again}")


def _print_estimate(
    config: CampaignConfig,
    site: Site,
    site_name: str,
    runs: Path,
    probe: bool,
    out: Console,
) -> bool:
    """Print what the campaign will do; return whether its type counts that."""
    works = list_work(config)
    rates = None
    if probe:
        from campaign.commands.probe import probe_campaign
        from campaign.watching.display import watch

        out.print("Probe: the campaign in miniature, on this site.")
        rates = probe_campaign(config, site_name, runs, watch)
        took = {w.stage: stage_seconds(w, rates, site) for w in works}
        expected = {stage: s for stage, s in took.items() if s is not None}
        keep_probe(runs, config, site_name, expected)
    if works:
        out.print(make_table(works, site, rates, min(out.width, WIDEST)))
        for line in list_lines(works, site, runs, rates):
            out.print(line)
    return bool(works)
