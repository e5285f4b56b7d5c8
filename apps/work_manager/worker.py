"""What runs on a worker: one WESTPA task, with WESTPA's configuration read before."""

import os
import sys
import traceback
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import westpa

from apps.science.errors import StageError
from apps.work_manager.futures import TRACEBACK_ATTRIBUTE

Setup = tuple[int, str | None, str | None]
"""The master's pid, west.cfg, WEST_SIM_ROOT."""


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
        setattr(carried, TRACEBACK_ATTRIBUTE, text)
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
