"""One task per role, sent through the site's own executors."""

import logging
import secrets
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future
from pathlib import Path
from typing import Any, NamedTuple

from site_configs.build import ROLES, build_config
from site_configs.checks import probe_task
from site_configs.checks.explain import advise
from site_configs.checks.probe_watch import Trouble, find_trouble, read_stderr
from site_configs.errors import SiteError
from site_configs.schema import BATCH, Site

log = logging.getLogger(__name__)

WALLTIME_SECONDS = 15 * 60
"""Blocks of a probe are short, so that a queue may fit them in."""
LOOK_SECONDS = 0.5
SEEN_SECONDS = 30.0
"""A network file system may show another host's new file late."""


class Probe(NamedTuple):
    """What became of the probe of one role."""

    role: str
    found: dict[str, Any] | None
    """What the worker saw; None if no task came back."""
    trouble: str
    seconds: float
    """From the start until the answer, or until it was given up."""
    clock_s: float | None = None
    """The worker's clock minus this one's."""
    clock_error_s: float = 0.0
    answer_s: float | None = None
    """Until this host saw the worker's file; None if it did not."""
    said: str = ""
    """What the job wrote to its standard error."""


def probe_site(
    site: Site,
    folder: Path,
    environment: Mapping[str, str],
    roles: Iterable[str] = ROLES,
    wait_s: float = 60.0,
    tell: Callable[[str], None] = log.info,
) -> list[Probe]:
    """Send a probe per role and wait for all; nothing is left behind.

    Parameters
    ----------
    folder
        A new folder where run folders will lie; its file system is tested.
    environment
        Variables by which the probe's processes can be found.
    wait_s
        How long a job may wait in the queue.
    tell
        Told what is being waited for, whenever that changes.

    Raises
    ------
    SiteError
        If the folder cannot be written here, the configuration cannot be built, or
        Parsl cannot start with it.
    """
    from parsl.dataflow.dflow import DataFlowKernel

    roles = tuple(roles)
    token = secrets.token_hex(16)
    try:
        folder.mkdir(parents=True)
        (folder / "driver.txt").write_text(token, encoding="utf-8")
    except OSError as error:
        raise SiteError(
            f"Run folders cannot be written from here: {error}. Free some space, or "
            "name another place with --runs."
        ) from None
    config = build_config(shorten(site), folder / "parsl", environment, roles)
    config.retries = 0
    try:
        dfk = DataFlowKernel(config)
    except Exception as error:  # whatever an executor's start raises
        raise SiteError(
            f"Parsl cannot start with site {site.name}: {type(error).__name__}: "
            f"{error}. Its words: {folder}/parsl"
        ) from error
    try:
        began = time.monotonic()
        futures = {
            role: _send(dfk, role, probe_task.look_around, str(folder), token, role)
            for role in roles
        }
        ended: dict[str, float] = {}
        for role, future in futures.items():
            future.add_done_callback(_note_end(ended, role))
        troubles = _wait(site, dfk, futures, wait_s, tell)
        return [
            _read(
                dfk,
                role,
                futures[role],
                troubles.get(role),
                folder,
                token,
                ended.get(role, time.monotonic()) - began,
            )
            for role in roles
        ]
    finally:
        dfk.cleanup()


def shorten(site: Site) -> Site:
    """Return the site with one short block per executor."""
    executors = {}
    for name, executor in site.executors.items():
        update: dict[str, Any] = {"min_blocks": 0, "init_blocks": 1, "max_blocks": 1}
        if executor.scheduler in BATCH:
            seconds = min(executor.walltime_seconds, WALLTIME_SECONDS)
            update["walltime"] = f"00:{seconds // 60:02d}:{seconds % 60:02d}"
            update["drain_minutes"] = 0
        if executor.scheduler == "globus_compute":
            update = {}
        executors[name] = executor.model_copy(update=update)
    return site.model_copy(update={"executors": executors})


def _send(dfk: Any, role: str, task: Callable[..., Any], *args: str) -> "Future[Any]":
    future: Future[Any] = dfk.submit(
        task,
        app_args=args,
        app_kwargs={},
        executors=[role],
        cache=False,
        ignore_for_cache=[],
    )
    return future


def _note_end(ended: dict[str, float], role: str) -> Callable[["Future[Any]"], None]:
    def note(_: "Future[Any]") -> None:
        ended[role] = time.monotonic()

    return note


def owner_of(dfk: Any, role: str) -> Any:
    """Return the executor whose workers serve a role, also where roles share it."""
    executor = dfk.executors[role]
    return getattr(executor, "target", executor)


def _wait(
    site: Site,
    dfk: Any,
    futures: Mapping[str, "Future[Any]"],
    wait_s: float,
    tell: Callable[[str], None],
) -> dict[str, str]:
    """Return what kept the probes that will not come back, by role."""
    troubles: dict[str, str] = {}
    watched = {role: Trouble(site, role, wait_s) for role in futures}
    told = ""
    while True:
        waiting = [r for r, f in futures.items() if not f.done() and r not in troubles]
        if not waiting:
            return troubles
        states = {}
        for role in waiting:
            state, trouble = find_trouble(watched[role], owner_of(dfk, role))
            states[role] = state
            if trouble:
                troubles[role] = trouble
        now = "; ".join(f"{role}: {state}" for role, state in states.items())
        if now != told:
            told = now
            tell(now)
        time.sleep(LOOK_SECONDS)


def _read(
    dfk: Any,
    role: str,
    future: "Future[Any]",
    trouble: str | None,
    folder: Path,
    token: str,
    seconds: float,
) -> Probe:
    if trouble is not None:
        return Probe(role, None, trouble, seconds)
    error = future.exception()
    if error is not None:
        said = f"The task failed: {type(error).__name__}: {error}"
        return Probe(role, None, f"{said}\n{advise(said)}".strip(), seconds)
    found = future.result()
    clock, uncertain = _compare_clocks(dfk, role)
    answer = _see_answer(folder / f"worker-{role}.txt", token[::-1])
    said = read_stderr(owner_of(dfk, role))
    return Probe(role, found, "", seconds, clock, uncertain, answer, said)


def _compare_clocks(dfk: Any, role: str) -> tuple[float | None, float]:
    """Return the worker's clock minus ours, and half the shortest round trip, s."""
    best: tuple[float | None, float] = (None, float("inf"))
    for _ in range(3):
        sent = time.time()
        asked = _send(dfk, role, probe_task.tell_time)
        try:
            theirs = asked.result(timeout=30)
        except Exception:  # the block ended in between
            return best
        back = time.time()
        if (back - sent) / 2 < best[1]:
            best = (theirs - (sent + back) / 2, (back - sent) / 2)
    return best


def _see_answer(path: Path, expected: str) -> float | None:
    began = time.monotonic()
    while time.monotonic() - began < SEEN_SECONDS:
        try:
            if path.read_text(encoding="utf-8") == expected:
                return time.monotonic() - began
        except OSError:
            pass
        time.sleep(0.2)
    return None
