"""Does a piece of work fit a site: known before anything queues."""

from site_configs.errors import SiteError
from site_configs.schema import BATCH, Site


def check_walltime(site: Site, role: str, needed_s: float) -> None:
    """Check that a task of ``needed_s`` seconds can end within a block of ``role``.

    A campaign calls it with its longest task that cannot be cut, such as one segment
    at the speed it expects.

    Raises
    ------
    SiteError
        If a block is shorter, after what drain_minutes takes from it.
    """
    name = site.executor_of(role)
    if site.python is not None or name is None:
        return
    executor = site.executors[name]
    if executor.scheduler not in BATCH:
        return
    usable = executor.walltime_seconds - 60 * executor.drain_minutes
    if needed_s > usable:
        raise SiteError(
            f"A task of role {role} needs about {_time(needed_s)}, but a block of "
            f"executor {name} has {_time(usable)} for tasks (walltime "
            f"{executor.walltime}, drain_minutes {executor.drain_minutes}). Raise the "
            f"walltime in site {site.name}, or make the task shorter."
        )


def _time(seconds: float) -> str:
    whole = round(seconds)
    return f"{whole // 3600}:{whole // 60 % 60:02d}:{whole % 60:02d}"
