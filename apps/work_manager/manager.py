"""A WESTPA work manager whose tasks are Parsl tasks; weft itself does not need it.

Stock work managers look through all futures for a finished one. Here each future
announces itself when it is done, so ``wait_any`` costs the same however many wait.
"""

import itertools
import logging
import os
import threading
import traceback
import weakref
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import westpa
from parsl import Config, python_app
from parsl.dataflow.dflow import DataFlowKernel
from westpa.work_managers import environment
from westpa.work_managers.core import WorkManager

from apps.science.errors import ConfigError, StageError
from apps.work_manager.executors import choose_executor, count_workers, load_config
from apps.work_manager.futures import TRACEBACK_ATTRIBUTE, ParslFuture, RemoteTraceback
from apps.work_manager.worker import Setup, run_task

log = logging.getLogger(__name__)

Task = tuple[Callable[..., Any], Collection[Any] | None, dict[str, Any] | None]


class ParslWorkManager(WorkManager):  # type: ignore[misc]
    """Submits to one executor of a Parsl configuration, or of a running kernel.

    Parameters
    ----------
    config : a parsl.Config to start and shut down here, or a DataFlowKernel that
        someone else started and will shut down
    executor : label of the executor; may be left out where there is only one
    rcfile : the west.cfg that workers read before their first task; by default the
        one that ``westpa.rc`` has read when a task is submitted
    n_workers : told to tools that ask; by default what the executor can grow to
    """

    def __init__(
        self,
        config: Config | DataFlowKernel,
        executor: str | None = None,
        rcfile: Path | None = None,
        n_workers: int | None = None,
    ) -> None:
        super().__init__()
        self.running: bool = False
        self._config = config
        given = config.config if isinstance(config, DataFlowKernel) else config
        self.executor = choose_executor(given, executor)
        chosen = next(e for e in given.executors if e.label == self.executor)
        self.n_workers = n_workers or count_workers(chosen)
        self._rcfile = rcfile
        self._kernel: DataFlowKernel | None = None
        self._app: Callable[..., Any] | None = None
        self._task_ids = itertools.count(1)
        self._unfinished: dict[int, ParslFuture] = {}
        self._changed = threading.Condition()
        self._fresh: deque[weakref.ref[ParslFuture]] = deque()
        self._seen: weakref.WeakSet[ParslFuture] = weakref.WeakSet()

    @classmethod
    def from_environ(cls, wmenv: Any = None) -> "ParslWorkManager":
        """Read --parsl-config, --parsl-executor, --n-workers, or WM_PARSL_CONFIG ..."""
        wmenv = wmenv or environment.default_env
        where = wmenv.get_val("parsl_config")
        if not where:
            raise ConfigError(
                "The parsl work manager was asked for without a configuration. Give "
                "--parsl-config or set WM_PARSL_CONFIG to module:name, where name is "
                "a parsl.Config or a function that returns one."
            )
        executor = wmenv.get_val("parsl_executor")
        return cls(
            load_config(where), executor, n_workers=wmenv.get_val("n_workers", 0, int)
        )

    @classmethod
    def add_wm_args(cls, parser: Any, wmenv: Any = None) -> None:
        """Add the options that ``from_environ`` reads."""
        wmenv = wmenv or environment.default_env
        group = parser.add_argument_group('options for the Parsl ("parsl") manager')
        group.add_argument(
            wmenv.arg_flag("parsl_config"),
            metavar="MODULE:NAME",
            help="A parsl.Config, or a function that returns one.",
        )
        group.add_argument(
            wmenv.arg_flag("parsl_executor"),
            metavar="LABEL",
            help="The executor to use, where the configuration has several.",
        )

    def startup(self) -> None:
        """Start Parsl, or join the kernel given; doing it twice is harmless."""
        if self.running:
            return
        kernel = self._config
        if not isinstance(kernel, DataFlowKernel):
            if self._kernel is not None:
                raise ConfigError(
                    "This work manager was shut down, and Parsl starts a "
                    "configuration only once. Make a new manager from a new Config."
                )
            kernel = DataFlowKernel(kernel)
        self._kernel = kernel
        self._app = python_app(
            run_task, data_flow_kernel=kernel, executors=[self.executor]
        )
        self.running = True

    def shutdown(self) -> None:
        """End the workers started here; unfinished futures raise StageError."""
        if not self.running:
            return
        self.running = False
        for future in list(self._unfinished.values()):
            error = StageError(
                f"Task {future.task_id} had not ended when the work manager was "
                "shut down. Wait for its future first."
            )
            self._finish(future, None, error)
        if self._kernel is not None and self._kernel is not self._config:
            self._kernel.cleanup()

    def submit(
        self,
        fn: Callable[..., Any],
        args: Collection[Any] | None = None,
        kwargs: dict[str, Any] | None = None,
    ) -> ParslFuture:
        """Send ``fn(*args, **kwargs)`` to a worker."""
        if not self.running or self._app is None:
            raise StageError(
                "The work manager is not running. Call startup() or use it in a "
                "with statement before submitting."
            )
        future = ParslFuture(next(self._task_ids))
        self._unfinished[future.task_id] = future
        sent = self._app(self._setup(), fn, tuple(args or ()), dict(kwargs or {}))
        sent.add_done_callback(partial(self._collect, future))
        return future

    def submit_many(self, tasks: Iterable[Task]) -> list[ParslFuture]:
        """Send each (fn, args, kwargs) to a worker."""
        return [self.submit(fn, args, kwargs) for fn, args, kwargs in tasks]

    def wait_any(self, futures: Collection[ParslFuture]) -> ParslFuture:
        """Return a finished one of ``futures``, waiting for it if need be.

        A set, as WESTPA passes, is not copied. Each finished future is looked at
        once, whichever set it is in, so the cost does not grow with the set.
        """
        pending = futures if isinstance(futures, set | frozenset) else set(futures)
        if not pending:
            raise ValueError("wait_any was given no futures; there is none to return.")
        with self._changed:
            while True:
                while self._fresh:
                    future = self._fresh.popleft()()
                    if future is not None:
                        self._seen.add(future)
                        if future in pending:
                            return future
                found = self._find_done(pending)
                if found is not None:
                    return found
                self._changed.wait()

    def as_completed(self, futures: Iterable[ParslFuture]) -> Iterator[ParslFuture]:
        """Yield each of ``futures`` once, as they finish."""
        pending = set(futures)
        while pending:
            future = self.wait_any(pending)
            pending.remove(future)
            yield future

    def submit_as_completed(
        self, task_generator: Iterable[Task], queue_size: int | None = None
    ) -> Iterator[ParslFuture]:
        """Yield futures as they finish, keeping at most ``queue_size`` on their way."""
        tasks = iter(task_generator)
        pending = set(self.submit_many(itertools.islice(tasks, queue_size)))
        while pending:
            future = self.wait_any(pending)
            pending.remove(future)
            pending.update(self.submit_many(itertools.islice(tasks, 1)))
            yield future

    def wait_all(self, futures: Iterable[ParslFuture]) -> list[ParslFuture]:
        """Wait for every future; raise the first exception, in the order given."""
        waited = list(futures)
        for future in waited:
            future.get_result(discard=False)
        return waited

    @property
    def is_master(self) -> bool:
        """True: Parsl's workers are no copies of this process."""
        return True

    def run(self) -> None:
        """Return at once: only other managers' clients have a loop to run."""

    def _setup(self) -> Setup:
        rcfile: str | None = None
        if self._rcfile is not None:
            rcfile = str(self._rcfile.absolute())
        elif westpa.rc.config.get(["west"], None):
            rcfile = str(Path(westpa.rc.rcfile).absolute())
        return os.getpid(), rcfile, os.environ.get("WEST_SIM_ROOT")

    def _collect(self, future: ParslFuture, sent: Any) -> None:
        error = sent.exception()
        self._finish(future, None if error else sent.result(), error)

    def _finish(
        self, future: ParslFuture, result: Any, error: BaseException | None
    ) -> None:
        if self._unfinished.pop(future.task_id, None) is None:
            return  # finished before, by the shutdown or by Parsl
        if error is None:
            future._set_result(result)
        else:
            text = getattr(error, TRACEBACK_ATTRIBUTE, None)
            if text is None:  # Parsl's own, such as a lost worker
                text = "".join(traceback.format_exception(error))
            else:
                error.__cause__ = RemoteTraceback(text)
            future._set_exception(error, text)
        with self._changed:
            self._fresh.append(weakref.ref(future))
            self._changed.notify_all()

    def _find_done(
        self, pending: set[ParslFuture] | frozenset[ParslFuture]
    ) -> ParslFuture | None:
        """Return one of ``pending`` that was looked at before: the rare case."""
        if len(pending) <= len(self._seen):
            return next((f for f in pending if f._done), None)
        return next((f for f in self._seen if f in pending), None)


def register() -> None:
    """Let WESTPA's command-line tools accept ``--work-manager parsl``."""
    environment._available_work_managers["parsl"] = ParslWorkManager
    known = environment.WMEnvironment.valid_work_managers
    for names in (known, environment.default_env.valid_work_managers):
        if "parsl" not in names:
            names.append("parsl")
