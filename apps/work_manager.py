"""A WESTPA work manager whose tasks are Parsl tasks; weft itself does not need it.

Stock work managers look through all futures for a finished one. Here each future
announces itself when it is done, so ``wait_any`` costs the same however many wait.
"""

import importlib
import itertools
import logging
import os
import sys
import threading
import traceback
import weakref
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import westpa
from parsl import Config, python_app
from parsl.dataflow.dflow import DataFlowKernel
from westpa.work_managers import environment
from westpa.work_managers.core import WMFuture, WorkManager

from apps.roles import MD
from apps.science.errors import ConfigError, StageError

log = logging.getLogger(__name__)

Task = tuple[Callable[..., Any], Collection[Any] | None, dict[str, Any] | None]
Setup = tuple[int, str | None, str | None]
"""The master's pid, west.cfg, WEST_SIM_ROOT."""

_TEXT = "remote_traceback"


class RemoteTraceback(Exception):  # noqa: N818 - a text to show, not a failure
    """What the worker's traceback said; the cause of the exception it shows."""

    def __str__(self) -> str:
        return f'\n"""\n{self.args[0]}"""'


class ParslFuture(WMFuture):  # type: ignore[misc]
    """A task's result to come; task ids count from 1, so that runs repeat."""

    _done: bool
    _result: Any
    _exception: BaseException | None
    _traceback: str | None

    def get_result(self, discard: bool = True) -> Any:
        """Wait for the result and return it; ``discard`` forgets it afterwards.

        Raises
        ------
        Exception
            What the task raised, with the worker's traceback as its cause.
        StageError
            If the result was discarded before.
        """
        self.wait()
        if self._exception is not None:
            raise self._exception
        if not hasattr(self, "_result"):
            raise StageError(
                f"The result of task {self.task_id} was taken and discarded before. "
                "Take it with get_result(discard=False) to read it again."
            )
        result = self._result
        if discard:
            del self._result
        return result

    def get_traceback(self) -> str | None:
        """Wait for the task; return the worker's traceback, None if it succeeded."""
        self.wait()
        return self._traceback

    traceback = property(get_traceback)


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
        self.executor = _choose_executor(given, executor)
        chosen = next(e for e in given.executors if e.label == self.executor)
        self.n_workers = n_workers or _count_workers(chosen)
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
            _load_config(where), executor, n_workers=wmenv.get_val("n_workers", 0, int)
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
            text = getattr(error, _TEXT, None)
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


def run_task(
    setup: Setup, fn: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Any:
    """Run one task on a worker; what it raises carries the traceback as text."""
    master, rcfile, root = setup
    shared = os.getpid() == master  # a thread of the master, with its westpa.rc
    try:
        if rcfile is not None and not shared:
            _read_config(rcfile, root)
        return fn(*args, **kwargs)
    except Exception as error:
        text = traceback.format_exc()
        carried = error if shared or _travels(error) else StageError(repr(error))
        setattr(carried, _TEXT, text)
        raise carried from None


@lru_cache(maxsize=1)
def _read_config(rcfile: str, root: str | None) -> None:
    """Give this process the propagator and system that ``wm_ops`` asks for."""
    if root is not None:
        os.environ["WEST_SIM_ROOT"] = root
    rc = westpa.rc
    rc.clear_state()
    rc.status_stream = sys.stderr
    rc.read_config(rcfile)
    rc.process_config()
    rc.get_propagator().system = rc.get_system_driver()


def _travels(error: Exception) -> bool:
    """Say whether Parsl can bring ``error`` back; one that cannot hangs Parsl."""
    from parsl.serialize import deserialize, serialize

    try:
        return isinstance(deserialize(serialize(error)), type(error))
    except Exception:
        return False


def _choose_executor(config: Config, label: str | None) -> str:
    labels = [e.label for e in config.executors]
    if label is None:
        label = labels[0] if len(labels) == 1 else MD
    if label not in labels:
        raise ConfigError(
            f"The Parsl configuration has no executor {label!r}. Its executors are "
            f"{', '.join(labels)}; name one of them."
        )
    return label


def _count_workers(executor: Any) -> int:
    """Return how many tasks an executor can come to run at once, at least 1."""
    executor = getattr(executor, "target", executor)
    threads = getattr(executor, "max_threads", None)
    if threads is not None:
        return int(threads)
    provider = getattr(executor, "provider", None)
    n_cores = os.cpu_count() or 1
    per_node = getattr(executor, "max_workers_per_node", None) or n_cores
    if provider is None or not isinstance(per_node, int):
        return n_cores
    n_nodes = int(provider.nodes_per_block) * int(provider.max_blocks)
    return max(1, per_node * n_nodes)


def _load_config(where: str) -> Config:
    module, _, name = where.partition(":")
    try:
        found = getattr(importlib.import_module(module), name or "config")
    except (ImportError, AttributeError) as error:
        raise ConfigError(
            f"The Parsl configuration {where!r} cannot be read: {error}. It must be "
            "module:name, the module on PYTHONPATH."
        ) from error
    config = found() if callable(found) else found
    if not isinstance(config, Config):
        raise ConfigError(f"{where!r} is {type(config).__name__}, not a parsl.Config.")
    return config
