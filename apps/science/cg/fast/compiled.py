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


_HOW: dict[str, Any] = {"nogil": True, "fastmath": _MAY, "error_model": "numpy"}


def kernel(function: Callable[P, R]) -> Callable[P, R]:
    """Compile ``function`` into the entries that call it."""
    compiled: Callable[P, R] = numba.njit(forceinline=True, **_HOW)(function)
    return compiled


def entry(function: Callable[P, R]) -> Callable[P, R]:
    """Compile ``function`` with all that it calls on its first call, and keep it.

    What it calls must be kernels: in a process that compiles, a function would be
    linked with those parts that were compiled alone, and in one that reads it from the
    cache with those inside it, whose sums have other last bits. So no part is left to
    be linked, and the bits of a run do not depend on what a process found in the cache.
    """
    try:
        made: Any = numba.njit(cache=True, **_HOW)(function)
    except RuntimeError:  # nowhere to keep it: compiled in each process
        compiled: Callable[P, R] = numba.njit(**_HOW)(function)
        return compiled
    # numba keeps an entry until its own file changes, and would run it with the old
    # code of kernels it calls in other files: any change here compiles all anew
    made._cache._cache_file._source_stamp = _STAMP
    kept: Callable[P, R] = made
    return kept
