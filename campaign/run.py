"""The main flow: lock, load the site, run the type, close."""

import json
import logging
import os
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import filelock
import psutil
import yaml

from apps import roles
from apps.science import plugins
from apps.science.errors import (
    ConfigError,
    RunEndedError,
    RunLockedError,
    StageError,
    StoppedError,
)
from apps.science.files import write_json, write_text
from apps.science.stopping import RUN_DIR_VARIABLE
from campaign import config as campaign_config
from campaign import reaper
from campaign.config import TYPES, CampaignConfig
from campaign.context import Context
from campaign.ending import Ending
from campaign.environment import describe_environment
from campaign.guard import guarding_folder, guarding_parts
from campaign.heartbeat import beating
from campaign.job_end import leaving_in_time
from campaign.layout import RunDir
from campaign.ledger import Ledger
from campaign.limits import describe_limit
from campaign.monitoring.pool_watcher import watching_pools
from campaign.own_command import as_typed
from campaign.said import heard_by
from site_configs.load import check_roles, copy_site, load_site
from site_configs.paths import check_run_path
from site_configs.ready import check_addresses, check_filled_in
from site_configs.schema import Site

log = logging.getLogger(__name__)

LEAVE_S = 120.0
"""Parsl waits for a scheduler for a minute; nothing honest takes longer than two."""


def start_campaign(source: Path, site_name: str, runs: Path) -> RunDir:
    """Check a campaign and its site, and make its run folder; start nothing.

    Raises
    ------
    ConfigError
        If anything is wrong with the file, or the folder exists.
    SiteError
        If anything is wrong with the site, or it cannot be told the folder's name.
    """
    config = campaign_config.load_campaign(source)
    site = load_site(site_name)
    check_roles(site, roles.ALL)
    check_filled_in(site)
    check_addresses(site)
    paths = RunDir((runs / config.name).absolute())
    if paths.root.exists():
        raise ConfigError(_already_there(paths, config))
    check_run_path(site, paths.root)
    campaign_config.check_campaign(config)
    paths.root.mkdir(parents=True)
    shutil.copyfile(source, paths.campaign)
    copy_site(site_name, paths.site)
    write_json(paths.environment, describe_environment(site_name, source.absolute()))
    write_text(paths.resolved, campaign_config.dump_campaign(config))
    return paths


def open_campaign(run_dir: Path) -> RunDir:
    """Check that a run folder can be continued.

    Raises
    ------
    ConfigError
        If it is no run folder, or its campaign.yaml was changed since the start.
    """
    paths = RunDir(run_dir.absolute())
    if not paths.resolved.exists():
        raise ConfigError(
            f"{run_dir} is not a run folder: it has no resolved.yaml. "
            "Give the folder that `weft run` named, such as runs/<name>."
        )
    was = paths.resolved.read_text(encoding="utf-8")
    change = campaign_config.describe_difference(was, _load(paths))
    if change:
        raise ConfigError(
            f"{paths.campaign} was changed since the run began; what is done would "
            f"no longer fit what is asked. Undo the change, or give the campaign "
            f"another name and run it anew. The difference:\n{change}"
        )
    check_run_path(load_site(str(paths.site)), paths.root)
    return paths


def run_campaign(paths: RunDir, watch: Callable[[RunDir], Any]) -> Path:
    """Run what is left of a campaign to its end; return the report's path.

    Parameters
    ----------
    watch
        Makes a context manager that shows progress while the campaign runs.

    Raises
    ------
    RunLockedError
        If another driver works on the folder.
    StageError
        If a stage fails; the message names the log and the resume command.
    RunEndedError
        If the run folder, or a part of Parsl that a run needs, is gone.
    KeyboardInterrupt
        If somebody ended it by Ctrl-C or another signal.
    """
    config = _load(paths)
    campaign_type = plugins.load_kind(TYPES, config.type)
    ending = Ending()
    with _driver_lock(paths), _log_to(paths), watch(paths), ending.on_signals():
        reaper.reap(paths.root)
        paths.stop.unlink(missing_ok=True)
        ledger = Ledger(paths.ledger)
        ledger.append("run_started", stages=list(campaign_type.stage_names(config)))
        try:
            with (
                guarding_folder(paths, ending) as look_at_folder,
                leaving_in_time(paths),
                _site(paths, ending) as site,
            ):
                _run_type(
                    campaign_type, Context(config, paths, site, ending), look_at_folder
                )
        except KeyboardInterrupt:
            if ending.reason is None:
                raise
            log.error("%s", ending.reason)
            raise RunEndedError(_say_ended(paths, ending)) from None
        finally:
            ending.close()
            reaper.reap(paths.root)
            if not ending.folder_gone:
                ledger.append("run_ended")
    return paths.report


def _say_ended(paths: RunDir, ending: Ending) -> str:
    if ending.folder_gone:
        return str(ending.reason)
    return (
        f"{ending.reason} The run has ended. Nothing is lost; continue with: "
        f"weft resume {as_typed(paths.root)}"
    )


def _run_type(
    campaign_type: Any, ctx: Context, look_at_folder: Callable[[], None]
) -> None:
    """Run the type; turn what went wrong into one message that helps."""
    try:
        campaign_type.run(ctx)
    except KeyboardInterrupt:
        raise
    except Exception as error:
        look_at_folder()
        if ctx.ending.asked:
            raise KeyboardInterrupt from None  # what failed was cut off
        if ctx.failure is None and ctx.paths.stop.exists():
            raise StoppedError(
                "Stopped as asked. Nothing is lost; continue with: "
                f"weft resume {as_typed(ctx.paths.root)}"
            ) from None
        stage, cause = ctx.failure or ("run", error)
        log.error("stage %s failed", stage, exc_info=cause)
        log_file = ctx.log_files.get(stage, ctx.paths.log)
        lines = (
            f"Stage {stage} failed: {str(cause) or type(cause).__name__}",
            describe_limit(cause),
            f"Log: {as_typed(log_file)}",
            f"When it is mended: weft resume {as_typed(ctx.paths.root)}",
        )
        raise StageError("\n".join(line for line in lines if line)) from cause


@contextmanager
def _site(paths: RunDir, ending: Ending) -> Iterator[Site]:
    """Load the run's site into Parsl for as long as it is entered."""
    import parsl

    from site_configs.build import build_config
    from site_configs.pools.parsl_parts import watch_commands

    site = load_site(str(paths.site))
    tag = {RUN_DIR_VARIABLE: str(paths.root)}
    os.environ.update(tag)
    config = build_config(site, paths.parsl, tag, roles.ALL)
    dfk = None
    try:
        with ending.held():
            dfk = parsl.load(config)
        watch_commands(dfk)
        with watching_pools(dfk, paths), guarding_parts(dfk, ending):
            yield site
    finally:
        ending.close()
        if dfk is not None:
            _leave_parsl(dfk)


def _leave_parsl(dfk: Any) -> None:
    """Let Parsl end its blocks and processes, but not for ever."""
    import parsl

    def clean_up() -> None:
        try:
            dfk.cleanup()
        except Exception:  # what it left is reaped
            log.debug("parsl did not end in order", exc_info=True)

    thread = threading.Thread(target=clean_up, name="parsl-cleanup", daemon=True)
    thread.start()
    thread.join(LEAVE_S)
    if thread.is_alive():
        log.warning("parsl did not end within %.0f s; it is left behind", LEAVE_S)
        # its threads would keep this process for ever
        last = threading.Timer(LEAVE_S, os._exit, (1,))
        last.daemon = True
        last.start()
    parsl.clear()


@contextmanager
def _driver_lock(paths: RunDir) -> Iterator[None]:
    """Hold the run folder for this process alone."""
    lock = filelock.FileLock(paths.lock, timeout=0)
    try:
        lock.acquire()
    except filelock.Timeout:
        who = paths.driver.read_text(encoding="utf-8") if paths.driver.exists() else ""
        raise RunLockedError(
            f"Another driver works on {paths.root} ({who.strip() or 'unknown'}). "
            "Wait for it, or stop it with Ctrl-C; then resume."
        ) from None
    me = psutil.Process()
    identity = {"pid": me.pid, "host": os.uname().nodename, "created": me.create_time()}
    write_text(paths.driver, json.dumps(identity))
    paths.driver_job.unlink(missing_ok=True)
    try:
        with beating(paths.heartbeat):
            yield
    finally:
        lock.release()


@contextmanager
def _log_to(paths: RunDir) -> Iterator[None]:
    """Send what weft says to campaign.log."""
    handler = logging.FileHandler(paths.log, encoding="utf-8")
    handler.setFormatter(
        logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s")
    )
    with heard_by(handler):
        yield


def _load(paths: RunDir) -> CampaignConfig:
    """Parse the run folder's campaign.yaml as if it lay where it came from."""
    environment = json.loads(paths.environment.read_text(encoding="utf-8"))
    raw = yaml.safe_load(paths.campaign.read_text(encoding="utf-8"))
    return campaign_config.parse_campaign(raw, Path(environment["campaign_source"]))


def _already_there(paths: RunDir, config: CampaignConfig) -> str:
    shown = as_typed(paths.root)
    message = f"{shown} exists already. Continue it: weft resume {shown}"
    if not paths.resolved.exists():
        return f"{paths.root} exists but is no run folder. Choose another name."
    change = campaign_config.describe_difference(
        paths.resolved.read_text(encoding="utf-8"), config
    )
    if change:
        message += (
            "\nThe campaign asked for now differs from the one it began with; to run "
            f"it, give it another name:\n{change}"
        )
    return message
