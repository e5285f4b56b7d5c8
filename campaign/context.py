"""What a campaign type is handed: its settings, paths, and stages that are recorded.

A stage is a set of Parsl apps (``stage``) or work of the driver itself (``drive``).
Either returns a future at once or when done; a stage that the ledger knows, with
its outputs unchanged, is not repeated.
"""

import logging
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Any

from apps.roles import ANALYSIS
from apps.science.errors import WeftError
from apps.science.files import write_json
from apps.task_log import note
from campaign.config import CampaignConfig
from campaign.ending import Ending
from campaign.layout import RunDir
from campaign.ledger import Ledger
from site_configs.schema import Site

log = logging.getLogger(__name__)

StageFuture = Future[list[Path]]


class Context:
    """One start of a campaign: everything a type needs to run."""

    def __init__(
        self,
        config: CampaignConfig,
        paths: RunDir,
        site: Site,
        ending: Ending | None = None,
    ) -> None:
        self.config = config
        self.paths = paths
        self.site = site
        self.ending = ending or Ending()
        self.ledger = Ledger(paths.ledger)
        self.failure: tuple[str, BaseException] | None = None
        self.log_files: dict[str, Path] = {}
        self._lock = threading.Lock()

    def stage(
        self,
        name: str,
        outputs: Sequence[Path],
        submit: Callable[[list[StageFuture]], Sequence["Future[Any]"]],
        after: Sequence[StageFuture] = (),
        log_file: Path | None = None,
    ) -> StageFuture:
        """Submit the apps of a stage to the DAG; return a future of its outputs.

        Parameters
        ----------
        outputs
            Files that must exist when it is done; the ledger keeps their hashes.
        submit
            Called with ``after``, which the apps take as ``inputs``; returns all of
            the stage's apps, those that others of them wait for included, since the
            first that fails is the reason that is told.
        log_file
            Where the apps write what they say, if not to campaign.log.
        """
        if log_file is not None:
            self.log_files[name] = log_file
        result: StageFuture = Future()
        if self.is_done(name):
            result.set_result(list(outputs))
            return result
        began = _Clock(after, lambda: self._note_start(name))
        parts = list(submit(list(after)))
        remaining = len(parts)

        def one_done(_: "Future[Any]") -> None:
            nonlocal remaining
            with self._lock:
                remaining -= 1
                last = remaining == 0
            if last:
                self._close(name, parts, outputs, began, result)

        for part in parts:
            part.add_done_callback(one_done)
        return result

    def drive(
        self,
        name: str,
        outputs: Sequence[Path],
        work: Callable[[], None],
        after: Sequence[StageFuture] = (),
        *,
        noted: bool = False,
    ) -> StageFuture:
        """Wait for ``after``, then do a stage's work here in the driver.

        ``noted`` counts the work as a task of its own; leave it out where the work
        is to hand out tasks.
        """
        result: StageFuture = Future()
        if self.is_done(name):
            result.set_result(list(outputs))
            return result
        for future in after:
            future.result()
        self._note_start(name)
        began = time.time()
        try:
            work()
        except BaseException as error:
            self._fail(name, error)
            raise
        if noted:
            note(name, ANALYSIS, name, began, True)
        self._record(name, time.time() - began, outputs)
        result.set_result(list(outputs))
        return result

    def n_workers(self, role: str) -> int:
        """Return how many tasks of ``role`` the site runs at a time, at most."""
        from site_configs.pools.capacity import count_workers

        return count_workers(self.site, role)

    def is_done(self, name: str) -> bool:
        """Tell whether a stage was finished by an earlier start."""
        return self.ledger.is_done(name)

    def progress(
        self, stage: str, done: float, total: float, unit: str, detail: str = ""
    ) -> None:
        """Publish how far a running stage is."""
        body = {"done": done, "total": total, "unit": unit, "detail": detail}
        write_json(self.paths.progress(stage), body | {"time": time.time()})

    def _note_start(self, name: str) -> None:
        with self._lock:
            self.ledger.append("started", name)
        log.info("%s: started", name)

    def _close(
        self,
        name: str,
        parts: list["Future[Any]"],
        outputs: Sequence[Path],
        began: "_Clock",
        result: StageFuture,
    ) -> None:
        """Record the end of a stage whose apps have all ended."""
        errors = [e for e in (p.exception() for p in parts) if e is not None]
        if errors:
            self._fail(name, errors[0])
            result.set_exception(errors[0])
            return
        missing = [p for p in outputs if not p.exists()]
        if missing:
            error = WeftError(
                f"Stage {name} ended without {missing[0]}. Its app returned too early."
            )
            self._fail(name, error)
            result.set_exception(error)
            return
        self._record(name, began.seconds, outputs)
        result.set_result(list(outputs))

    def _record(self, name: str, seconds: float, outputs: Sequence[Path]) -> None:
        with self._lock:
            self.ledger.record_done(name, seconds, outputs)
        log.info("%s: done in %.1f s", name, seconds)

    def _fail(self, name: str, error: BaseException) -> None:
        from parsl.dataflow.errors import DependencyError

        if isinstance(error, DependencyError | KeyboardInterrupt):
            return  # the stage it waited for, or the person, is the reason
        if self.paths.stop.exists():
            return  # asked to stop: what did not begin has not failed
        if self.ending.asked or not self.paths.root.exists():
            return  # cut off
        with self._lock:
            if self.failure is None:
                self.failure = (name, error)
            self.ledger.append("failed", name, message=str(error))
        log.error("%s: failed: %s", name, error)


class _Clock:
    """Starts when every one of some futures is done."""

    def __init__(
        self, futures: Sequence["Future[Any]"], on_start: Callable[[], None]
    ) -> None:
        self._began = time.time()
        self._on_start = on_start
        self._left = len(futures)
        self._lock = threading.Lock()
        if not futures:
            on_start()
        for future in futures:
            future.add_done_callback(self._one_done)

    def _one_done(self, future: "Future[Any]") -> None:
        with self._lock:
            self._left -= 1
            if self._left or future.exception() is not None:
                return
        self._began = time.time()
        self._on_start()

    @property
    def seconds(self) -> float:
        """Seconds since the start."""
        return time.time() - self._began
