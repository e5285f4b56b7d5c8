"""The very script that a site's blocks would submit, without submitting it."""

from collections.abc import Iterable
from pathlib import Path
from string import Template
from typing import Any

from site_configs.build import ROLES, build_config
from site_configs.errors import SiteError
from site_configs.schema import Site


class _Captured(Exception):  # noqa: N818 - it carries a result, not a fault
    """Carries the script out of a provider before anything is submitted."""


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

    def keep_pod(**pod: Any) -> None:
        raise _Captured(pod["cmd_string"])

    if hasattr(provider, "_create_pod"):
        provider._create_pod = keep_pod
    else:
        kept_by = {True: keep_local, False: keep_cluster}
        is_local = not hasattr(provider, "walltime")
        provider._write_submit_script = kept_by[is_local]
    command = executor._get_launch_command("0")
    try:
        provider.submit(command, 1, f"parsl.{executor.label}.block-0")
    except _Captured as script:
        return str(script)
    raise SiteError(
        f"Parsl's {type(provider).__name__} wrote no script; this version of Parsl "
        "is not the one that weft was tested with."
    )
