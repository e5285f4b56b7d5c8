"""Run the driver itself as a batch job of the site that its workers are asked from."""

import shlex
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from apps.roles import ANALYSIS
from apps.science.errors import ConfigError
from apps.science.files import write_json
from campaign.layout.run_dir import RunDir
from campaign.telling.own_command import as_typed, resume_command
from site_configs.errors import SiteError

if TYPE_CHECKING:
    from site_configs.schema import ExecutorConfig

OF_WORKERS: Final = (
    "accelerator", "drain_minutes", "gpus_per_node", "launcher", "launcher_options",
    "mps", "task_spans_block", "workers_per_gpu", "workers_per_node",
)  # fmt: skip
"""What an executor says of its workers alone; a driver has no GPU and no pool."""


def check_walltime(walltime: str | None) -> None:
    """Check the walltime asked for a driver's job, before anything is written.

    Raises
    ------
    ConfigError
        If it is no time.
    """
    from site_configs.schema import ExecutorConfig

    if walltime is not None:
        ask_for_driver(ExecutorConfig(scheduler="slurm"), walltime)


def ask_for_driver(
    workers: "ExecutorConfig", walltime: str | None = None
) -> "ExecutorConfig":
    """Return what a driver's job is asked for with: a node like those of ``workers``.

    Raises
    ------
    ConfigError
        If the walltime is no time.
    """
    from pydantic import ValidationError

    from site_configs.mistakes import explain_mistakes
    from site_configs.schema import ExecutorConfig

    settings = workers.model_dump(exclude_unset=True, exclude=set(OF_WORKERS))
    settings["nodes_per_block"] = 1
    if workers.scheduler == "slurm":
        settings["exclusive"] = False
    if walltime is not None:
        settings["walltime"] = walltime
    try:
        return ExecutorConfig.model_validate(settings)
    except ValidationError as error:
        said = "; ".join(explain_mistakes(error))
        raise ConfigError(f"The driver's job cannot be asked for: {said}") from None


def submit_driver(
    run_dir: Path, walltime: str | None = None, options: Sequence[str] = ()
) -> str:
    """Submit ``weft resume`` as a job on one node; return the job's id.

    It is asked for like a block of the role ``analysis``, without GPUs. What it prints
    goes to driver.out in the run folder. A job that ends by its walltime loses
    nothing: submit it again.

    Parameters
    ----------
    walltime : HH:MM:SS; by default the one of that executor
    options : of ``weft resume``

    Raises
    ------
    ConfigError
        If the site has no batch system, or it refuses the job.
    """
    from parsl.errors import ParslError

    from site_configs.load import load_site
    from site_configs.pools.providers import make_provider
    from site_configs.pools.worker_init import write_worker_init
    from site_configs.schema import BATCH

    paths = RunDir(run_dir.absolute())
    site = load_site(str(paths.site))
    name = site.executor_of(ANALYSIS)
    asked = site.executors[name] if name is not None else None
    if asked is None or asked.scheduler not in BATCH:
        raise ConfigError(
            f"The site {site.name} has no batch system for the role {ANALYSIS}, so a "
            "driver cannot be submitted. Use --detach instead."
        )
    executor = ask_for_driver(asked, walltime)
    provider = make_provider(executor, write_worker_init(executor, {}))
    provider.script_dir = str(paths.parsl)
    paths.parsl.mkdir(exist_ok=True)
    command = shlex.join(resume_command(paths.root, options))
    out = shlex.quote(str(paths.driver_out))
    asked_at = time.time()
    try:
        job = provider.submit(f"{command} >> {out} 2>&1", 1, "driver")
    except (ParslError, SiteError) as error:
        raise ConfigError(
            f"{asked.scheduler} refused the driver's job: {error}. `weft sites check "
            f"{as_typed(paths.site)} --submit` shows what to mend."
        ) from None
    waits = {"scheduler": asked.scheduler, "job_id": str(job), "time": asked_at}
    write_json(paths.driver_job, waits)
    return str(job)
