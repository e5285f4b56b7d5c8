"""Does a piece of work fit a site: known before it is queued."""

import math

from site_configs.errors import SiteError
from site_configs.schema import BATCH, Site


def usable_seconds(site: Site, role: str) -> float:
    """Return how long a task of ``role`` may take, s; infinite where nothing ends."""
    name = site.executor_of(role)
    if site.python is not None or name is None:
        return math.inf
    executor = site.executors[name]
    if executor.scheduler not in BATCH:
        return math.inf
    return float(executor.walltime_seconds - executor.drain_seconds)


def check_walltime(
    site: Site, role: str, needed_s: float, what: str = "A task", else_do: str = ""
) -> None:
    """Check that ``what`` of ``needed_s`` seconds can end within a block of ``role``.

    Raises
    ------
    SiteError
        If a block is shorter, after what drain_minutes takes from it; ``else_do``
        is named beside a longer walltime.
    """
    usable = usable_seconds(site, role)
    if needed_s <= usable:
        return
    name = str(site.executor_of(role))
    executor = site.executors[name]
    raise SiteError(
        f"{what} needs about {_time(needed_s)} on role {role}, but a block of executor "
        f"{name} has {_time(usable)} for tasks (walltime {executor.walltime}, less "
        f"{executor.drain_seconds} s at its end). Raise the walltime in site "
        f"{site.name}, or {else_do or 'make the task shorter'}."
    )


def _time(seconds: float) -> str:
    whole = round(seconds)
    return f"{whole // 3600}:{whole // 60 % 60:02d}:{whole % 60:02d}"
