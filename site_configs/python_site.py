"""A site as a Python file, for what YAML cannot say: ``config()`` returns all of it.

::

    def config(run_dir, environment):
        from parsl import Config
        ...
        return Config(executors=[...])    # labels: md, train, analysis
"""

import inspect
import runpy
import shlex
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from site_configs.errors import SiteError

if TYPE_CHECKING:
    from parsl import Config

ARGUMENTS = ("run_dir", "environment")


def check_python_site(path: Path) -> None:
    """Check that a file defines ``config(run_dir, environment)``.

    Raises
    ------
    SiteError
        If it cannot be run or does not.
    """
    _read_function(path)


def build_python_config(
    path: Path, run_dir: Path, environment: Mapping[str, str], roles: Iterable[str]
) -> "Config":
    """Return the configuration that a Python site file makes for one run.

    Parameters
    ----------
    run_dir
        Folder of Parsl's logs.
    environment
        Variables of every process of the run; added to each provider's worker_init.
    roles
        Executor labels that apps will ask for.

    Raises
    ------
    SiteError
        If the file fails, returns something else, or lacks a label.
    """
    from parsl import Config
    from parsl.executors import HighThroughputExecutor

    try:
        made = _read_function(path)(run_dir, dict(environment))
    except SiteError:
        raise
    except Exception as error:
        raise SiteError(
            f"config() of {path} failed: {type(error).__name__}: {error}"
        ) from error
    if not isinstance(made, Config):
        raise SiteError(
            f"config() of {path} returned a {type(made).__name__}; "
            "it must return a parsl.Config."
        )
    labels = [executor.label for executor in made.executors]
    missing = [role for role in roles if role not in labels]
    if missing:
        raise SiteError(
            f"config() of {path} has no executor labelled {', '.join(missing)}. "
            f"It has {', '.join(labels)}; label one executor by each role."
        )
    made.run_dir = str(run_dir)
    for executor in made.executors:
        provider = getattr(executor, "provider", None)
        if provider is not None and hasattr(provider, "worker_init"):
            lines = "".join(
                f"export {name}={shlex.quote(value)}\n"
                for name, value in environment.items()
            )
            provider.worker_init = f"{provider.worker_init.rstrip()}\n{lines}"
        if isinstance(executor, HighThroughputExecutor):
            _outlive_nobody(executor, environment)
    return made


def count_python_workers(path: Path, role: str) -> int:
    """Return the workers of ``role`` when all its blocks are up; at least one."""
    import tempfile

    from site_configs.pools.worker_init import usable_cores

    with tempfile.TemporaryDirectory(prefix="weft-") as folder:
        config = build_python_config(path, Path(folder), {}, [role])
    executor = next(e for e in config.executors if e.label == role)
    provider = getattr(executor, "provider", None)
    if provider is None:  # threads
        return max(1, int(getattr(executor, "max_threads", 1)))
    per_node = executor.max_workers_per_node
    if not 1 <= per_node < float("inf"):  # left to the node
        per_node = usable_cores()
    return max(1, int(per_node * provider.nodes_per_block * provider.max_blocks))


def _outlive_nobody(executor: Any, environment: Mapping[str, str]) -> None:
    """Give it the interchange that ends with its driver, unless it has its own."""
    from parsl.executors.high_throughput.executor import DEFAULT_INTERCHANGE_LAUNCH_CMD

    from site_configs.pools.interchange import interchange_command

    if executor.interchange_launch_cmd == DEFAULT_INTERCHANGE_LAUNCH_CMD:
        executor.interchange_launch_cmd = interchange_command(environment)


def _read_function(path: Path) -> Any:
    try:
        names = runpy.run_path(str(path), run_name=path.stem)
    except (Exception, SystemExit) as error:
        raise SiteError(f"{path} fails: {type(error).__name__}: {error}") from error
    function = names.get("config")
    if not callable(function):
        raise SiteError(f"{path} has no function config({', '.join(ARGUMENTS)}).")
    taken = tuple(inspect.signature(function).parameters)
    if taken != ARGUMENTS:
        raise SiteError(
            f"{path} has config({', '.join(taken)}); "
            f"it must be config({', '.join(ARGUMENTS)})."
        )
    return function
