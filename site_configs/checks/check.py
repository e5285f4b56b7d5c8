"""What can be said of a site before anything is submitted."""

import shutil
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Literal, NamedTuple

from site_configs.build import ROLES, build_config
from site_configs.checks import ask_gridengine, ask_slurm
from site_configs.checks.explain import explain
from site_configs.checks.host_name import ask_host_name, judge_host_name
from site_configs.checks.submit_script import submit_scripts
from site_configs.errors import SiteError
from site_configs.schema import ExecutorConfig, Site

Level = Literal["ok", "look", "mend"]

_COMMANDS = {
    "slurm": ("sbatch", "squeue", "scancel"),
    "pbspro": ("qsub", "qstat", "qdel"),
    "lsf": ("bsub", "bjobs", "bkill"),
    "gridengine": ("qsub", "qstat", "qdel"),
}


class Check(NamedTuple):
    """One line of ``weft sites check``."""

    place: str
    """An executor, or the site."""
    what: str
    level: Level
    """ok; look: a campaign runs, but perhaps not as meant; mend: it would not run."""
    detail: str

    @property
    def ok(self) -> bool:
        """Whether a campaign would run."""
        return self.level != "mend"


def check_site(site: Site, roles: Iterable[str] = ROLES) -> list[Check]:
    """Return what is ready and what is not; starts and submits nothing."""
    roles = tuple(roles)
    checks = list(_check_roles(site, roles))
    checks.append(Check("site", "host name", *judge_host_name(ask_host_name(), site)))
    for name, executor in site.executors.items():
        checks += _check_executor(name, executor)
    scripts: dict[str, str] = {}
    try:
        with tempfile.TemporaryDirectory(prefix="weft-") as folder:
            config = build_config(site, Path(folder) / "parsl", roles=roles)
            labels = ", ".join(executor.label for executor in config.executors)
            scripts = submit_scripts(site, Path(folder) / "parsl", roles)
        checks.append(Check("site", "Parsl configuration", "ok", f"executors {labels}"))
    except (SiteError, ValueError, OSError) as error:
        checks.append(Check("site", "Parsl configuration", "mend", str(error)))
    for label, script in scripts.items():
        name = site.executor_of(label) or label
        asked = site.executors.get(name)
        if asked and asked.scheduler == "slurm" and shutil.which("sbatch"):
            checks.append(_check_script(name, script))
        if asked and asked.scheduler == "gridengine" and shutil.which("qsub"):
            answer = ask_gridengine.try_script(script)
            checks.append(Check(name, "submit script", *answer))
    places = list(dict.fromkeys(check.place for check in checks))
    return sorted(checks, key=lambda check: places.index(check.place))


def _check_roles(site: Site, roles: tuple[str, ...]) -> Iterator[Check]:
    if site.python is not None:
        yield Check("site", "Python file", "ok", str(site.python))
        return
    for role in roles:
        name = site.executor_of(role)
        mend = f"under roles, map it to one of {', '.join(site.executors)}"
        yield Check("site", f"role {role}", "ok" if name else "mend", name or mend)


def _check_executor(name: str, executor: ExecutorConfig) -> Iterator[Check]:
    for key, value in executor.model_dump().items():
        if isinstance(value, str) and value.startswith("<"):
            detail = f"still {value}; copy the site file and fill it in"
            yield Check(name, key, "mend", detail)
    commands = _COMMANDS.get(executor.scheduler, ())
    missing = [command for command in commands if shutil.which(command) is None]
    if missing:
        detail = "not on PATH; is this a login node of the cluster?"
        yield Check(name, ", ".join(missing), "mend", detail)
    elif commands:
        yield Check(name, executor.scheduler, "ok", f"has {', '.join(commands)}")
    if executor.scheduler == "slurm" and not missing:
        for fault in ask_slurm.find_faults(executor):
            yield Check(name, "partition", "mend", fault)
    if executor.scheduler == "gridengine" and not missing:
        for what, level, detail in ask_gridengine.find_faults(executor):
            yield Check(name, what, level, detail)
    if executor.gpus_per_node and executor.scheduler in ("lsf", "gridengine"):
        detail = (
            f"weft does not know how this {executor.scheduler} is asked for them; "
            "say it in scheduler_options"
        )
        known: Level = "ok" if executor.scheduler_options else "look"
        yield Check(name, "GPUs", known, detail)
    yield from _check_address(name, executor)


def _check_address(name: str, executor: ExecutorConfig) -> Iterator[Check]:
    if executor.address is None:
        return
    import socket

    import psutil

    try:
        asked = {str(item[4][0]) for item in socket.getaddrinfo(executor.address, None)}
    except OSError as error:
        detail = f"{executor.address} is not known here: {error.strerror}"
        yield Check(name, "address", "mend", detail)
        return
    interfaces = psutil.net_if_addrs().items()
    own = {item.address: key for key, items in interfaces for item in items}
    if not asked & own.keys():
        detail = (
            f"{executor.address} is no address of this host, so workers cannot reach "
            f"the driver by it; leave it out, or name an interface "
            f"({', '.join(psutil.net_if_addrs())})"
        )
        yield Check(name, "address", "mend", detail)
    elif executor.scheduler != "local" and all(a.startswith("127.") for a in asked):
        detail = f"{executor.address} is this host for itself alone; nodes miss it"
        yield Check(name, "address", "look", detail)


def _check_script(name: str, script: str) -> Check:
    refused = ask_slurm.refuse_script(script)
    if refused is None:
        return Check(name, "submit script", "ok", "sbatch --test-only takes it")
    return Check(name, "submit script", "mend", f"sbatch: {explain(refused)}")
