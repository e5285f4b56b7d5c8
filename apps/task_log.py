"""Each worker notes when its task bodies began and ended: the timeline.

One file per worker process, so nothing is shared and nothing is locked.
"""

import functools
import inspect
import json
import os
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")

RUN_DIR_VARIABLE = "WEFT_RUN_DIR"


def logged(role: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Record every call as one task of the stage that its keyword ``stage`` names."""

    def wrap(function: Callable[P, R]) -> Callable[P, R]:
        name = function.__name__
        usual = inspect.signature(function).parameters["stage"].default

        @functools.wraps(function)
        def call(*args: P.args, **kwargs: P.kwargs) -> R:
            from apps.task_log import note  # this closure travels to the worker

            began, done = time.time(), False
            try:
                result = function(*args, **kwargs)
                done = True
                return result
            finally:
                note(name, role, str(kwargs.get("stage", usual)), began, done)

        return call

    return wrap


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
