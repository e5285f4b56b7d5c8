"""Each worker notes when its task bodies began and ended, and what they said.

One .jsonl and one .log file per worker process in the run folder's tasks/, so nothing
is shared and nothing is locked.
"""

import functools
import inspect
import json
import logging
import os
import socket
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import ParamSpec, TypeVar

from apps.science.disk import saying_full
from apps.science.errors import StoppedError
from apps.science.stopping import RUN_DIR_VARIABLE, stop_asked

P = ParamSpec("P")
R = TypeVar("R")

STOPPED_BEFORE = "The run was asked to stop before this task began. Resume it to go on."


def logged(role: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Record every call as one task of the stage that its keyword ``stage`` names.

    A call in a run that was asked to stop raises StoppedError instead.
    """

    def wrap(function: Callable[P, R]) -> Callable[P, R]:
        name = function.__name__
        usual = inspect.signature(function).parameters["stage"].default

        @functools.wraps(function)
        def call(*args: P.args, **kwargs: P.kwargs) -> R:
            # this closure travels to the worker
            from apps.task_log import (
                listen,
                naming_full_disk,
                note,
                refuse_if_stopped,
            )

            refuse_if_stopped()
            listen()
            began, done = time.time(), False
            try:
                with naming_full_disk():
                    result = function(*args, **kwargs)
                done = True
                return result
            finally:
                note(name, role, str(kwargs.get("stage", usual)), began, done)

        return call

    return wrap


def refuse_if_stopped() -> None:
    """Let no task begin in a run that was asked to stop; those begun go on.

    Raises
    ------
    StoppedError
    """
    if stop_asked():
        raise StoppedError(STOPPED_BEFORE)


def naming_full_disk() -> AbstractContextManager[None]:
    """Let what a full disk does to a task be a DiskFullError, which is not retried."""
    return saying_full(Path(os.environ.get(RUN_DIR_VARIABLE) or "."))


@functools.cache
def listen() -> None:
    """Send what the project's modules log in this worker to a file of its own."""
    run_dir = os.environ.get(RUN_DIR_VARIABLE)
    if not run_dir:
        return
    folder = Path(run_dir) / "tasks"
    folder.mkdir(exist_ok=True)
    handler = logging.FileHandler(
        folder / f"{socket.gethostname()}-{os.getpid()}.log", delay=True
    )
    handler.setFormatter(
        logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s")
    )
    logging.raiseExceptions = False  # on a full disk each line would be a traceback
    logger = logging.getLogger("apps")
    logger.setLevel(logging.INFO)
    logger.addHandler(handler)


def note(app: str, role: str, stage: str, started: float, ok: bool) -> None:
    """Append one finished task to this process's file in the run folder."""
    run_dir = os.environ.get(RUN_DIR_VARIABLE)
    if not run_dir:
        return
    host, pid = socket.gethostname(), os.getpid()
    entry = {
        "app": app, "role": role, "stage": stage, "host": host, "pid": pid,
        "started": started, "ended": time.time(), "ok": ok,
    }  # fmt: skip
    folder = Path(run_dir) / "tasks"
    folder.mkdir(exist_ok=True)
    with (folder / f"{host}-{pid}.jsonl").open("a", encoding="utf-8") as out:
        out.write(json.dumps(entry) + "\n")
