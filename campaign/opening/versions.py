"""Whether a run goes on with the versions that it was begun with."""

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

DECIDE_BITS: Final = (
    "openmm", "torch", "torchmd-net", "westpa", "numpy", "numba", "deeptime",
)  # fmt: skip
"""Packages of which another version may give other figures from the same seed."""


class Versions(NamedTuple):
    """How two environments differ, a phrase each: ``openmm 8.4 is now 8.6``."""

    decisive: list[str]
    """Figures or files may come out otherwise."""
    others: list[str]


def compare_versions(was: Mapping[str, Any], now: Mapping[str, Any]) -> Versions:
    """Compare two contents of environment.json; what one does not say is no difference.

    Decisive are the packages that figures depend on, and the formats of weft's files.
    """
    decisive: list[str] = []
    others: list[str] = []
    for name, (old, new) in _pair(was, now, "packages"):
        phrase = f"{name} {old} is now {new}"
        (decisive if name in DECIDE_BITS else others).append(phrase)
    for name, (old, new) in _pair(was, now, "formats"):
        decisive.append(f"the format of {name} {old} is now {new}")
    if was.get("python", now.get("python")) != now.get("python"):
        others.append(f"Python {was['python']} is now {now.get('python')}")
    before, after = was.get("git"), now.get("git")
    if before and after and before != after:
        others.append(f"weft's source {before[:12]} is now {after[:12]}")
    return Versions(decisive, others)


def _pair(
    was: Mapping[str, Any], now: Mapping[str, Any], key: str
) -> list[tuple[str, tuple[str, str]]]:
    before, after = (
        found if isinstance(found := one.get(key), dict) else {} for one in (was, now)
    )
    return [
        (name, (before[name], after[name]))
        for name in after
        if before.get(name) and after[name] and before[name] != after[name]
    ]
