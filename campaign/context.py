"""What a campaign type is handed: its settings, paths, and stages that are recorded.

A stage is a set of Parsl apps (``stage``) or work of the driver itself (``drive``).
Either returns a future at once or when done; a stage that the ledger knows, with
its outputs unchanged, is not repeated, unless what it reads, or a setting that it was
given, is another than it was made from.
"""

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from apps.roles import ANALYSIS
from apps.science.disk import is_disk_full
from apps.science.errors import WeftError
from apps.science.files import write_json
from apps.task_log import note
from campaign.campaign_type import load_type
from campaign.config import CampaignConfig, dump_campaign, make_relative
from campaign.declared import Stages, list_kept, read_written
from campaign.ending import Ending
from campaign.layout.run_dir import RunDir
from campaign.ledger import NOTES, Ledger, Sources
from campaign.opening.aside import set_aside
from campaign.opening.inputs import list_digests
from campaign.opening.outdated import AS_USUAL, Outdated
from campaign.opening.settings_change import digest_each, digest_settings
from site_configs.schema import Site

log = logging.getLogger(__name__)

StageFuture = Future[list[Path]]


@dataclass
class _Stage:
    """A stage that a type asked for in this start."""

    outputs: list[Path]
    parents: list[str]
    reads: list[Path]
    given: Mapping[str, Any] | None
    sources: Sources = field(default_factory=Sources)
    future: StageFuture = field(default_factory=Future)


class Context:
    """One start of a campaign: everything a type needs to run."""

    def __init__(
        self,
        config: CampaignConfig,
        paths: RunDir,
        site: Site,
        ending: Ending | None = None,
        outdated: Outdated = AS_USUAL,
    ) -> None:
        self.config = config
        self.paths = paths
        self.site = site
        self.ending = ending or Ending()
        self.outdated = outdated
        self.ledger = Ledger(paths.ledger)
        self.failure: tuple[str, BaseException] | None = None
        self.log_files: dict[str, Path] = {}
        self._type = load_type(config.type)
        self._declared = read_written(paths) or Stages()
        self._resolved = yaml.safe_load(dump_campaign(config, paths.root))
        self._files = list_digests(paths)
        self._stages: dict[str, _Stage] = {}
        self._lock = threading.Lock()

    def stage(
        self,
        name: str,
        outputs: Sequence[Path],
        submit: Callable[[list[StageFuture]], Sequence["Future[Any]"]],
        after: Sequence[StageFuture] = (),
        log_file: Path | None = None,
        reads: Sequence[Path] | None = None,
        given: Mapping[str, Any] | None = None,
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
        reads
            Files of earlier stages that the apps read: when one of them changes, the
            stage is run again. By default all that the stages of ``after`` make.
        given
            Settings that the apps are given, nested as in campaign.yaml; likewise. By
            default those that READ_BY of the campaign type names for the stage.
        """
        if log_file is not None:
            self.log_files[name] = log_file
        result = self._open(name, outputs, after, reads, given)
        if self._is_settled(name, outputs, after):
            result.set_result(list(outputs))
            return result
        began = _Clock(after, lambda: self._note_start(name, "given to the workers"))
        parts = list(submit(list(after)))
        remaining = len(parts)
        if not parts:
            self._close(name, parts, outputs, began, result)

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
        sums_up: bool = False,
        reads: Sequence[Path] | None = None,
    ) -> StageFuture:
        """Wait for ``after``, then do a stage's work here in the driver.

        ``reads`` is as in ``stage``. ``noted`` counts the work as a task of its own;
        leave it out where the work is to hand out tasks. What ``sums_up`` is done again
        when anything else was done, or noted, since.
        """
        result = self._open(name, outputs, after, reads)
        settled = self._is_up_to_date if sums_up else self._is_settled
        if settled(name, outputs, after):
            result.set_result(list(outputs))
            return result
        for future in after:
            future.result()
        self._note_start(name, "started", queued=not noted)
        began = time.time()
        try:
            work()
            self._check_outputs(name, outputs)
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

    def finish(self) -> None:
        """Wait for every stage that was asked for; its outputs are there then.

        Raises
        ------
        WeftError
            If an output is gone again: somebody takes files away.
        """
        for stage in self._stages.values():
            stage.future.result()
        for name, stage in self._stages.items():
            self._check_outputs(name, stage.outputs)

    def progress(
        self, stage: str, done: float, total: float, unit: str, detail: str = ""
    ) -> None:
        """Publish how far a running stage is."""
        body = {"done": done, "total": total, "unit": unit, "detail": detail}
        write_json(self.paths.progress(stage), body | {"time": time.time()})

    def _open(
        self,
        name: str,
        outputs: Sequence[Path],
        after: Sequence[StageFuture],
        reads: Sequence[Path] | None,
        given: Mapping[str, Any] | None = None,
    ) -> StageFuture:
        """Note that a stage is asked for; return its future."""
        parents = [
            other
            for other, stage in self._stages.items()
            if any(stage.future is future for future in after)
        ]
        if reads is None:
            reads = [path for one in parents for path in self._stages[one].outputs]
        self._stages[name] = _Stage(list(outputs), parents, list(reads), given)
        return self._stages[name].future

    def _is_settled(
        self, name: str, outputs: Sequence[Path], after: Sequence[StageFuture]
    ) -> bool:
        """Tell whether nothing is left to do for a stage; set aside what is stale.

        Where it was done or begun before, that is known when its parents are done: one
        that is made again may come out differently.
        """
        done = self.ledger.is_done(name, outputs)
        declared = self._declared[name]
        kept = [p for p in list_kept(self.paths, declared) if p.exists()]
        if not done and not kept:
            return False
        for future in after:
            future.result()
        stage = self._stages[name]
        now = self._find_sources(name)
        what = self.ledger.find_stale(name, now, stage.parents)
        if not what:
            return done
        if self.outdated.keep:
            self._note("kept", name, f"{what}; {name} was kept as it was", now)
            return done
        folder = set_aside(self.paths.root, [*kept, *outputs], name)
        said = f"{what}; {name} runs again, and what it had made is in {folder}"
        self._note("again", name, said)
        return False

    def _find_sources(self, name: str) -> Sources:
        """Return what a stage would be made from now."""
        stage = self._stages[name]
        if stage.given is None:
            settings = digest_settings(
                self._type.READ_BY, self._resolved, self._declared[name], self._files
            )
        else:
            given = make_relative(stage.given, f"{self.paths.root}/")
            settings = digest_each(given, self._files)
        with self._lock:
            return Sources(self.ledger.take_prints(stage.reads), settings)

    def _is_up_to_date(
        self, name: str, outputs: Sequence[Path], after: Sequence[StageFuture]
    ) -> bool:
        """Tell whether nothing that a stage sums up was done, or noted, since."""
        for future in after:
            future.result()
        if not self.ledger.is_done(name, outputs):
            return False
        before = self._find_ancestors(name)
        return not any(
            entry.event in NOTES or (entry.event == "done" and entry.stage in before)
            for entry in self.ledger.entries_since(name)
        )

    def _find_ancestors(self, name: str) -> set[str]:
        found: set[str] = set()
        left = [name]
        while left:
            parents = self._stages[left.pop()].parents
            left += [parent for parent in parents if parent not in found]
            found.update(parents)
        return found

    def _check_outputs(self, name: str, outputs: Sequence[Path]) -> None:
        missing = [path for path in outputs if not path.is_file()]
        if missing:
            raise WeftError(
                f"Stage {name} ended without {missing[0]}. Its work returned too "
                "early, or somebody took the file away; resume makes it again."
            )

    def _note(
        self, event: str, name: str, message: str, sources: Sources | None = None
    ) -> None:
        known = sources.fields() if sources else {}
        with self._lock:
            self.ledger.append(event, name, message=message, **known)
        log.warning("%s: %s", name, message)

    def _note_start(self, name: str, said: str, *, queued: bool = True) -> None:
        sources = self._stages[name].sources = self._find_sources(name)
        with self._lock:
            self.ledger.append("started", name, queued=queued, **sources.fields())
        log.info("%s: %s", name, said)

    def _close(
        self,
        name: str,
        parts: list["Future[Any]"],
        outputs: Sequence[Path],
        began: "_Clock",
        result: StageFuture,
    ) -> None:
        """Record the end of a stage whose apps have all ended.

        Whatever happens, the future is settled: the campaign waits for it.
        """
        try:
            errors = [e for e in (p.exception() for p in parts) if e is not None]
            if errors:
                raise errors[0]
            self._check_outputs(name, outputs)
            self._record(name, began.seconds, outputs)
        except BaseException as error:
            try:
                self._fail(name, error)
            finally:
                result.set_exception(error)
        else:
            result.set_result(list(outputs))

    def _record(self, name: str, seconds: float, outputs: Sequence[Path]) -> None:
        with self._lock:
            sources = self._stages[name].sources
            self.ledger.record_done(name, seconds, outputs, sources)
        log.info("%s: done in %.1f s", name, seconds)

    def _fail(self, name: str, error: BaseException) -> None:
        from parsl.dataflow.errors import DependencyError

        from site_configs.pools.parsl_parts import InterchangeGoneError

        if isinstance(error, InterchangeGoneError):
            self.ending.await_reason()  # a guard is about to say why
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
        # of a full disk the sentence at the end says all
        said = "the disk is full" if is_disk_full(error) else error
        log.error("%s: failed: %s", name, said)


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
