"""What can be said of a site before anything is submitted, and what would be."""

import shutil
import tempfile
from collections.abc import Iterable
from pathlib import Path
from string import Template
from typing import Any, NamedTuple

from site_configs.build import ROLES, build_config
from site_configs.errors import SiteError
from site_configs.schema import Site

_COMMANDS = {
    "slurm": ("sbatch", "squeue", "scancel"),
    "pbspro": ("qsub", "qstat", "qdel"),
    "lsf": ("bsub", "bjobs", "bkill"),
    "gridengine": ("qsub", "qstat", "qdel"),
}


class Check(NamedTuple):
    """One line of ``weft sites check``."""

    what: str
    ok: bool
    detail: str


class _Captured(Exception):  # noqa: N818 - it carries a result, not a fault
    """Carries the script out of a provider before anything is submitted."""


def check_site(site: Site, roles: Iterable[str] = ROLES) -> list[Check]:
    """Return what is ready and what is not; starts and submits nothing."""
    roles = tuple(roles)
    checks = []
    for role in roles:
        name = site.executor_of(role)
        mend = f"under roles, map it to one of {', '.join(site.executors)}"
        checks.append(Check(f"role {role}", name is not None, name or mend))
    for name, executor in site.executors.items():
        for command in _COMMANDS.get(executor.scheduler, ()):
            path = shutil.which(command)
            detail = path or "not on PATH; is this a login node of the cluster?"
            checks.append(Check(f"{name}: {command}", path is not None, detail))
        for key, value in executor.model_dump().items():
            if isinstance(value, str) and value.startswith("<"):
                detail = f"still {value}; copy the site file and fill it in"
                checks.append(Check(f"{name}: {key}", False, detail))
    try:
        with tempfile.TemporaryDirectory(prefix="weft-") as folder:
            config = build_config(site, Path(folder), roles=roles)
        labels = ", ".join(executor.label for executor in config.executors)
        checks.append(Check("Parsl configuration", True, f"executors {labels}"))
    except (SiteError, ValueError, OSError) as error:
        checks.append(Check("Parsl configuration", False, str(error)))
    pool = shutil.which("process_worker_pool.py")
    detail = pool or "process_worker_pool.py is not on PATH; is Parsl installed?"
    checks.append(Check("worker program", pool is not None, detail))
    return checks


def submit_scripts(
    site: Site, run_dir: Path, roles: Iterable[str] = ROLES
) -> dict[str, str]:
    """Return the script of the first block of each executor, by label.

    It is the text that the provider would hand to the scheduler for a run in
    ``run_dir``; only the port, known once a run listens, reads PORT. Globus Compute
    endpoints have no script here.
    """
    from parsl.executors import HighThroughputExecutor

    config = build_config(site, run_dir, roles=roles)
    scripts = {}
    for executor in config.executors:
        if not isinstance(executor, HighThroughputExecutor):
            continue
        executor.run_dir = str(run_dir / "000")
        executor.worker_port = "PORT"
        executor.logconf_path = f"{executor.logdir}/log_config/log_config.pkl"
        executor.cert_dir = f"{executor.logdir}/certificates"
        executor.initialize_scaling()
        scripts[executor.label] = _capture_script(executor)
    return scripts


def _capture_script(executor: Any) -> str:
    """Let the provider compose its script, and stop it before it submits."""
    provider = executor.provider
    provider.script_dir = f"{executor.run_dir}/submit_scripts"

    def keep_cluster(template: str, _path: str, job: str, values: Any) -> None:
        raise _Captured(Template(template).substitute(jobname=job, **values))

    def keep_local(text: str, _path: str) -> None:
        raise _Captured(text)

    local = type(provider).__name__ == "PromptLocalProvider"
    provider._write_submit_script = keep_local if local else keep_cluster
    command = executor._get_launch_command("0")
    try:
        provider.submit(command, 1, f"parsl.{executor.label}.block-0")
    except _Captured as script:
        return str(script)
    raise SiteError(
        f"Parsl's {type(provider).__name__} wrote no script; this version of Parsl "
        "is not the one that weft was tested with."
    )
