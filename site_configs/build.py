"""Site + roles -> the parsl.Config of one run: an executor, and an alias per role."""

import os
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from site_configs.errors import SiteError
from site_configs.load import check_roles
from site_configs.pools.batch_jobs import JOBS_FILE
from site_configs.pools.worker_init import usable_cores, write_worker_init
from site_configs.schema import BATCH, ExecutorConfig, Site

if TYPE_CHECKING:
    from parsl import Config
    from parsl.executors import HighThroughputExecutor
    from parsl.executors.base import ParslExecutor

ROLES = ("md", "train", "analysis")

SAFE_PATH = {"PYTHONSAFEPATH": "1"}
"""No Python imports from the folder it runs in, which may hold another project."""

# Parsl starts the first block one period after it loads, so this is start-up time.
STRATEGY_SECONDS = 0.25
# Idle wake-ups of the driver and interchange; messages do not wait for it.
POLL_MILLISECONDS = 50
# A pool, or an interchange, that misses so many in a row is taken for lost.
MISSED_HEARTBEATS = 6


def build_config(
    site: Site,
    run_dir: Path,
    environment: Mapping[str, str] | None = None,
    roles: Iterable[str] = ROLES,
    jobs: Path | None = None,
) -> "Config":
    """Return the Parsl configuration of one run, for ``with parsl.load(config)``.

    Parameters
    ----------
    run_dir
        Folder of Parsl's logs; each start makes 000, 001, ... in it.
    environment
        Variables of every process that the run starts, interchange and workers,
        by which leftovers can be found.
    roles
        Executor labels that apps will ask for; executors that serve none are left out.
    jobs
        Where submitted batch jobs are noted; default: jobs.jsonl beside ``run_dir``.

    Raises
    ------
    SiteError
        If a role has no executor, or a part of the site is not available here.
    """
    import logging

    from parsl import Config
    from parsl.logconfigs.file import FileLogging

    from site_configs.pools.any_folder import start_in_any_folder
    from site_configs.pools.failures import BUDGET, make_retry_handler
    from site_configs.pools.role_alias import RoleAlias

    roles = tuple(dict.fromkeys(roles))
    check_roles(site, roles)
    start_in_any_folder()
    _put_scripts_on_path()
    environment = SAFE_PATH | dict(environment or {})
    if site.python is not None:
        from site_configs.python_site import build_python_config

        return build_python_config(site.python, run_dir, environment, roles)
    jobs = jobs or run_dir.absolute().with_name(JOBS_FILE)
    started: dict[str, ParslExecutor] = {}
    executors: list[ParslExecutor] = []
    for role in roles:
        name = site.executor_of(role)
        assert name is not None, "check_roles has passed"
        if name in started:
            executors.append(RoleAlias(role, started[name]))
        else:
            started[name] = _make_executor(
                role, site.executors[name], environment, jobs
            )
            executors.append(started[name])
    return Config(
        executors=executors,
        run_dir=str(run_dir),
        retries=BUDGET,
        retry_handler=make_retry_handler(site.retries),
        strategy="simple",  # htex_auto_scale can cancel a pending block for ever
        strategy_period=STRATEGY_SECONDS,
        max_idletime=60.0 * site.idle_minutes,
        exit_mode="cleanup",  # leaving the block never waits for stray tasks
        usage_tracking=0,
        initialize_logging=FileLogging(level=logging.INFO),
    )


def _make_executor(
    label: str,
    executor: ExecutorConfig,
    environment: Mapping[str, str],
    jobs: Path,
) -> "ParslExecutor":
    if executor.scheduler == "globus_compute":
        from site_configs.pools.globus import make_globus_executor

        return make_globus_executor(label, executor, environment)

    from parsl.executors.high_throughput.executor import DEFAULT_LAUNCH_CMD

    from site_configs.pools.failures import give_up_unstarted
    from site_configs.pools.interchange import interchange_command
    from site_configs.pools.pool_executor import (
        PoolExecutor,
        pool_settings,
        wrap_launch_command,
    )
    from site_configs.pools.providers import make_provider
    from site_configs.pools.worker_pool import LAUNCHER, PARSLS_LAUNCHER

    local = executor.scheduler == "local"
    heartbeat = executor.heartbeat_seconds or (3 if local else 5)
    address = "127.0.0.1" if local else _address(executor)
    limits: dict[str, Any] = {}
    if executor.scheduler in BATCH and executor.drain_seconds:
        limits["drain_period"] = executor.walltime_seconds - executor.drain_seconds
    htex = PoolExecutor(
        label=label,
        # without an address Parsl asks a server on the internet for one
        address=address or "127.0.0.1",
        provider=make_provider(executor, write_worker_init(executor, environment)),
        launch_cmd=wrap_launch_command(
            DEFAULT_LAUNCH_CMD.replace(PARSLS_LAUNCHER, LAUNCHER), executor
        ),
        interchange_launch_cmd=interchange_command(environment),
        cores_per_worker=float(executor.cores_per_worker),
        mem_per_worker=executor.memory_per_worker_gib,
        max_workers_per_node=_count_workers(executor),
        heartbeat_period=heartbeat,
        heartbeat_threshold=MISSED_HEARTBEATS * heartbeat,
        poll_period=POLL_MILLISECONDS,
        block_error_handler=give_up_unstarted,
        **pool_settings(executor),
        **limits,
    )
    htex.prepare_workers(executor)
    if not local:
        htex.note_jobs(jobs, executor.scheduler)
    if address is None:
        _listen_everywhere(htex)
    return htex


def _count_workers(executor: ExecutorConfig) -> int | None:
    """Return the workers of a node; None leaves the count to the node."""
    if executor.task_spans_block:
        return 1
    if executor.slots_per_node is None and executor.scheduler == "local":
        return max(1, usable_cores() // executor.cores_per_worker)
    return executor.slots_per_node


def _put_scripts_on_path() -> None:
    """Let the driver's children find process_worker_pool.py of this environment."""
    scripts = str(Path(sys.executable).parent)
    paths = os.environ.get("PATH", "").split(os.pathsep)
    if scripts not in paths:
        os.environ["PATH"] = os.pathsep.join([scripts, *paths])


def _address(executor: ExecutorConfig) -> str | None:
    if executor.interface is None:
        return executor.address
    from parsl.addresses import address_by_interface

    try:
        return str(address_by_interface(executor.interface))
    except (OSError, KeyError):
        import psutil

        present = ", ".join(psutil.net_if_addrs())
        raise SiteError(
            f"There is no network interface {executor.interface!r} with an IPv4 "
            f"address on this host. Interfaces: {present}."
        ) from None


def _listen_everywhere(htex: "HighThroughputExecutor") -> None:
    """Let workers try every address of this host."""
    import socket

    import psutil

    found = {
        item.address
        for items in psutil.net_if_addrs().values()
        for item in items
        if item.family == socket.AF_INET
    }
    htex.address = None
    htex.all_addresses = {a for a in found if not a.startswith("127.")} or found
