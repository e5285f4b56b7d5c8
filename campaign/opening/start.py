"""Make the run folder of a campaign: whole or not at all; start nothing."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from apps import roles
from apps.science.disk import describe_full, is_disk_full
from apps.science.errors import ConfigError, DiskFullError
from apps.science.files import write_json, write_text
from apps.science.input_files import InputFiles
from campaign import config as campaign_config
from campaign.config import CampaignConfig
from campaign.estimate.kept import write_estimate
from campaign.layout.run_dir import RunDir
from campaign.opening import inputs
from campaign.opening.environment import describe_environment
from campaign.opening.resume import touches_nothing_done
from campaign.opening.run_folder import check_umask
from campaign.telling.own_command import as_typed
from site_configs.load import check_roles, copy_site, load_site
from site_configs.paths import check_run_path
from site_configs.ready import check_addresses, check_filled_in

_OF_A_START: Final = {
    "campaign.yaml", "site.yaml", "site.py", "environment.json", "inputs",
    "estimate.json",
}  # fmt: skip
"""What a start of an earlier version left when it was killed before resolved.yaml."""


def start_campaign(source: Path, site_name: str, runs: Path) -> RunDir:
    """Check a campaign and its site, and make its run folder; start nothing.

    The folder appears whole: it is made under another name. What a killed start left
    under this one is set aside.

    Raises
    ------
    ConfigError
        If anything is wrong with the file, the folder exists, or it cannot be made.
    SiteError
        If anything is wrong with the site, or it cannot be told the folder's name.
    """
    check_umask()
    source = source.absolute()
    files = InputFiles(source.parent)
    config = campaign_config.load_campaign(source, files)
    site = load_site(site_name)
    check_roles(site, roles.ALL)
    check_filled_in(site)
    check_addresses(site)
    paths = RunDir((runs / config.name).absolute())
    if os.path.lexists(paths.root) and not _is_half_made(paths, source):
        raise ConfigError(_say_already_there(paths, config, source, files))
    check_run_path(site, paths.root)
    campaign_config.check_campaign(config)
    with _draft(paths) as draft:
        shutil.copyfile(source, draft.campaign)
        copy_site(site_name, draft.site)
        write_json(draft.environment, describe_environment(site_name, source))
        most = config.copy_inputs_mb * 1e6
        taken = inputs.copy_inputs(draft, files.named, most, [], files.in_folders)
        copied = InputFiles(source.parent, inputs.list_copies(draft, taken))
        write_estimate(draft, config, runs, site_name)
        config = campaign_config.load_campaign(source, copied)
        write_text(draft.resolved, campaign_config.dump_campaign(config, draft.root))
    return paths


@contextmanager
def _draft(paths: RunDir) -> Iterator[RunDir]:
    """Yield a folder to fill; give it its name when that is done."""
    root = paths.root.with_name(f".{paths.name}.{os.getpid()}.tmp")
    try:
        shutil.rmtree(root, ignore_errors=True)
        root.mkdir(parents=True)
        yield RunDir(root)
        if os.path.lexists(paths.root):
            paths.root.rename(_free_name(paths.root))
        root.rename(paths.root)
    except OSError as error:
        if is_disk_full(error):
            raise DiskFullError(describe_full(paths.root, error.errno)) from None
        why = f"{error.strerror or error} ({error.filename or paths.root})"
        if isinstance(error, FileExistsError | NotADirectoryError):
            why = "a part of its path is a file, where a folder is needed"
        raise ConfigError(
            f"The run folder {paths.root} cannot be made: {why}. Choose another place "
            "with --runs."
        ) from None
    finally:
        shutil.rmtree(root, ignore_errors=True)


def _free_name(path: Path) -> Path:
    number = 1
    while os.path.lexists(found := path.with_name(f"{path.name}.half-made-{number}")):
        number += 1
    return found


def _is_half_made(paths: RunDir, source: Path) -> bool:
    """Tell whether a folder is what a start left that was killed at once."""
    if not paths.root.is_dir() or source.is_relative_to(paths.root):
        return False
    names = {path.name for path in paths.root.iterdir() if path.suffix != ".tmp"}
    return names <= _OF_A_START


def _say_already_there(
    paths: RunDir, config: CampaignConfig, source: Path, files: InputFiles
) -> str:
    """Return what is there, how the campaign differs from it, and what to type."""
    shown = as_typed(paths.root)
    if not paths.resolved.is_file() and not paths.ledger.is_file():
        return f"{paths.root} exists but is no run folder. Choose another name."
    message = f"{shown} exists already. Continue it: weft resume {shown}"
    try:
        was = paths.resolved.read_text(encoding="utf-8")
        known = inputs.read_inputs(paths)
        copies = inputs.list_copies(
            paths, [i for i in known if i.is_there(files.named.get(i.written, Path()))]
        )
        config = campaign_config.load_campaign(
            source, InputFiles(source.parent, copies)
        )
        change = campaign_config.describe_difference(was, config, paths.root)
    except (ConfigError, OSError, ValueError):
        return message  # resume says what is wrong with it
    if not change:
        return message
    if not touches_nothing_done(paths, was, config):
        return (
            f"{message}\nThe campaign asked for now differs from the one it began "
            f"with; to run it, give it another name:\n{change}"
        )
    take = f"cp {as_typed(source)} {as_typed(paths.campaign)}"
    return (
        f"{message}\nThe campaign asked for now differs from the one it began with, "
        "in what nothing that is done depends on. To go on with the change: "
        f"{take} && weft resume {shown}\n{change}"
    )
