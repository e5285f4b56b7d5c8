"""How kernels are compiled: once per machine, kept beside the source, without the GIL.

Sums may be reordered by the compiler, but not at run time: the same inputs give the
same bits. What is not a number stays so, for runaway replicas are found by it.
"""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import numba

P = ParamSpec("P")
R = TypeVar("R")

_MAY = {"reassoc", "contract", "arcp", "nsz", "afn"}


def _stamp_sources() -> str:
    digest = hashlib.sha256()
    for path in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()


_STAMP = _stamp_sources()


def kernel(function: Callable[P, R]) -> Callable[P, R]:
    """Compile ``function`` on its first call."""
    how: dict[str, Any] = {"nogil": True, "fastmath": _MAY, "error_model": "numpy"}
    try:
        made: Any = numba.njit(cache=True, **how)(function)
    except RuntimeError:  # nowhere to keep it: compiled in each process
        uncached: Callable[P, R] = numba.njit(**how)(function)
        return uncached
    # numba keeps a kernel until its own file changes, and would run it with the old
    # code of kernels it calls in other files: any change here compiles all anew
    made._cache._cache_file._source_stamp = _STAMP
    compiled: Callable[P, R] = made
    return compiled
