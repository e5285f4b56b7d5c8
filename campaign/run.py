"""The main flow: lock, load the site, run the type, close."""

import json
import logging
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import filelock
import psutil

from apps import roles
from apps.science import plugins
from apps.science.disk import is_disk_full
from apps.science.errors import (
    RunEndedError,
    RunLockedError,
    StageError,
    StoppedError,
)
from apps.science.files import write_text
from apps.science.stopping import RUN_DIR_VARIABLE
from campaign.campaign_type import CampaignType, load_type
from campaign.context import Context
from campaign.declared import write_stages
from campaign.driver import reaper
from campaign.driver.full_disk import saying_full_disk
from campaign.driver.guard import guarding_folder, guarding_parts
from campaign.driver.job_end import leaving_in_time
from campaign.driver.limits import describe_limit
from campaign.driver.pool_watcher import watching_pools
from campaign.ending import Ending
from campaign.layout.run_dir import RunDir
from campaign.ledger import Ledger
from campaign.opening.outside_code import say_code
from campaign.opening.resume import Opened
from campaign.opening.run_folder import check_umask, explain_lock_error
from campaign.telling.own_command import as_typed
from campaign.telling.said import heard_by
from campaign.watching.heartbeat import beating
from site_configs.load import load_site
from site_configs.schema import Site

log = logging.getLogger(__name__)

LEAVE_S = 120.0
"""Parsl waits for a scheduler for a minute; nothing honest takes longer than two."""


def run_campaign(run: Opened, watch: Callable[[RunDir], Any]) -> Path | None:
    """Run what is left of a campaign to its end; return the report, if there is one.

    Parameters
    ----------
    watch
        Makes a context manager that shows progress while the campaign runs.

    Raises
    ------
    ConfigError
        If the folder cannot be written or locked.
    RunLockedError
        If another driver works on the folder.
    StageError
        If a stage fails; the message names the log and the resume command.
    DiskFullError
        If there is no room left; it names the disk and the resume command.
    RunEndedError
        If the run folder, or a part of Parsl that a run needs, is gone.
    KeyboardInterrupt
        If somebody ended it by Ctrl-C or another signal.
    """
    paths = run.paths
    campaign_type = load_type(run.config.type)
    ending = Ending()
    with (
        saying_full_disk(paths),
        _driver_lock(paths),
        _log_to(paths),
        _settled(run),
        watch(paths),
        ending.on_signals(),
    ):
        reaper.reap(paths.root)
        paths.stop.unlink(missing_ok=True)
        config = run.config
        ledger = Ledger(paths.ledger)
        for sentence in say_code():
            log.warning("%s", sentence)
        stages = campaign_type.stages(config)
        write_stages(paths, stages)
        ledger.append("run_started", stages=[stage.name for stage in stages])
        try:
            with (
                guarding_folder(paths, ending) as look_at_folder,
                leaving_in_time(paths),
                _site(paths, ending) as site,
            ):
                ctx = Context(config, paths, site, ending, run.allowed.outdated)
                _run_type(campaign_type, ctx, look_at_folder)
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
    return paths.report if paths.report.exists() else None


def _say_ended(paths: RunDir, ending: Ending) -> str:
    if ending.folder_gone:
        return str(ending.reason)
    return (
        f"{ending.reason} The run has ended. Nothing is lost; continue with: "
        f"weft resume {as_typed(paths.root)}"
    )


def _run_type(
    campaign_type: CampaignType, ctx: Context, look_at_folder: Callable[[], None]
) -> None:
    """Run the type; turn what went wrong into one message that helps."""
    try:
        campaign_type.run(ctx)
        ctx.finish()
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
        # where a disk is full, the sentence at the end says all
        log.error(
            "stage %s failed", stage, exc_info=None if is_disk_full(cause) else cause
        )
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
    from parsl.executors.high_throughput.errors import CommandClientBadError

    from site_configs.build import build_config
    from site_configs.pools.parsl_parts import watch_commands

    site = load_site(str(paths.site))
    tag = {RUN_DIR_VARIABLE: str(paths.root)} | plugins.describe_environment()
    os.environ.update(tag)
    config = build_config(site, paths.parsl, tag, roles.ALL)
    dfk = None
    try:
        try:
            with ending.held():
                dfk = parsl.load(config)
        except CommandClientBadError:
            raise RunEndedError(
                "Parsl's interchange, which hands tasks to workers, ended or fell "
                "silent while it started. Nothing is lost; what it said stands in "
                f"{as_typed(paths.parsl)}. Continue with: "
                f"weft resume {as_typed(paths.root)}"
            ) from None
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
    check_umask()
    # one that is a mere file would stay behind a killed driver
    lock = filelock.FileLock(paths.lock, timeout=0, fallback_to_soft=False)
    try:
        lock.acquire()
    except filelock.Timeout:
        who = paths.driver.read_text(encoding="utf-8") if paths.driver.exists() else ""
        raise RunLockedError(
            f"Another driver works on {paths.root} ({who.strip() or 'unknown'}). "
            "Wait for it, or stop it with Ctrl-C; then resume."
        ) from None
    except OSError as error:
        raise explain_lock_error(error, paths.root) or error from None
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
def _settled(run: Opened) -> Iterator[None]:
    """Note what has changed since the run began, once no other driver can."""
    run.settle()
    yield


@contextmanager
def _log_to(paths: RunDir) -> Iterator[None]:
    """Send what weft says to campaign.log."""
    handler = logging.FileHandler(
        paths.log, encoding="utf-8", errors="backslashreplace"
    )
    handler.setFormatter(
        logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s")
    )
    with heard_by(handler):
        yield
