"""What weft uses of Parsl and WESTPA beyond what they promise, and that it is there.

pyproject.toml bounds both by the versions in which all of it was found and works. To
move a bound: run this file, then tests/unit/site_configs, tests/unit/we and
tests/integration, with the new version.
"""

import importlib
import inspect
import re
import tomllib
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement

REPOSITORY = Path(__file__).parents[2]
HTEX = "parsl.executors.high_throughput"

INTERNALS = {
    # Parsl: pools of workers, and the processes beside the driver
    f"{HTEX}.executor:HighThroughputExecutor": (
        "_launch_block", "_start_local_interchange_process", "_get_launch_command",
        "_result_queue_thread", "blocks_to_job_id", "command_client",
        "connected_managers", "initialize_scaling", "interchange_launch_cmd",
        "interchange_proc", "launch_cmd", "logconf_path", "cert_dir", "logdir",
        "outgoing_q", "scale_in", "worker_logdir", "worker_port",
    ),
    f"{HTEX}.executor": ("DEFAULT_INTERCHANGE_LAUNCH_CMD", "DEFAULT_LAUNCH_CMD"),
    "parsl.executors.status_handling:BlockProviderExecutor": (
        "_simulated_status", "bad_state_is_set", "executor_exception",
        "set_bad_state_and_fail_all", "status_facade",
    ),
    f"{HTEX}.zmq_pipes:CommandClient": ("_lock", "ok", "zmq_socket", "run", "close"),
    f"{HTEX}.zmq_pipes:TasksOutgoing": ("zmq_socket", "put", "close"),
    f"{HTEX}.errors": (
        "CommandClientBadError", "CommandClientTimeoutError", "ManagerLost",
        "WorkerLost",
    ),
    f"{HTEX}.errors:WorkerLost": ("worker_id", "hostname"),
    f"{HTEX}.process_worker_pool:Manager": (
        "_mp_manager", "_stop_event", "_tasks_in_progress", "drain_time",
    ),
    "parsl.dataflow.dflow": ("make_rundir",),
    "parsl.dataflow.dflow:DataFlowKernel": ("job_status_poller", "executors"),
    "parsl.jobs.job_status_poller:JobStatusPoller": ("_thread",),
    "parsl.jobs.states": ("TERMINAL_STATES", "JobState", "JobStatus"),
    "parsl.jobs.errors": ("TooManyJobFailuresError",),
    # Parsl: what asks schedulers
    "parsl.providers.cluster_provider:ClusterProvider": (
        "_write_submit_script", "execute_wait", "resources", "script_dir",
    ),
    "parsl.providers:SlurmProvider": (
        "_cmd", "_status", "_translate_table", "clusters", "mem_per_node",
        "regex_job_id",
    ),
    "parsl.providers:GridEngineProvider": ("get_configs", "queue"),
    "parsl.providers:LocalProvider": ("_write_submit_script", "resources"),
    "parsl.providers:KubernetesProvider": ("_create_pod",),
    # WESTPA: drivers that are subclassed, and put together as w_run does
    "westpa.core._rc:WESTRC": (
        "_data_manager", "_sim_manager", "get_propagator", "get_system_driver",
        "get_we_driver", "process_config", "read_config", "status_stream",
    ),
    "westpa.core.sim_manager:WESimManager": (
        "completed_segments", "current_iter_bstates", "current_iter_istates",
        "finalize_iteration", "get_istate_futures", "incomplete_segments",
        "load_plugins", "prepare_iteration", "prepare_run", "propagate", "run_we",
        "save_bin_data", "segments",
    ),
    "westpa.core.binning.mab_manager:MABSimManager": ("propagate",),
    "westpa.core.we_driver": ("Segment",),
    "westpa.core.we_driver:WEDriver": (
        "final_binning", "new_weights", "next_iter_segments", "rng", "target_states",
    ),
    "westpa.core.data_manager:WESTDataManager": (
        "close_backing", "flush_backing", "open_backing", "prepare_backing",
        "we_h5file", "we_h5filename",
    ),
    "westpa.core.binning.mab": ("MABBinMapper", "bin_assignment", "map_mab"),
    "westpa.core.binning.mab:MABBinMapper": ("kwargs",),
    "westpa.core.binning:VoronoiBinMapper": ("centers", "dfkwargs"),
    "westpa.core.h5io:WESTIterationFile": (),
    "westpa.core.trajectory:WESTTrajectory": (),
    # WESTPA: the work manager
    "westpa.work_managers.environment": ("_available_work_managers", "default_env"),
    "westpa.work_managers.environment:WMEnvironment": ("valid_work_managers",),
    "westpa.work_managers.core:WMFuture": (
        "_done", "_exception", "_result", "_set_exception", "_set_result",
        "_traceback", "task_id",
    ),
}  # fmt: skip

THREADS = f"{HTEX}.process_worker_pool"
"""pool_watch.py knows its threads and workers by their names."""


def is_there(owner: Any, name: str) -> bool:
    """Tell whether a module or class has a name, or gives it to its instances."""
    if hasattr(owner, name):
        return True
    bases = owner.__mro__[:-1] if inspect.isclass(owner) else ()
    given = re.compile(rf"\bself\.{name}\b(\s*:[^=\n]+)?\s*=[^=]")
    return any(given.search(inspect.getsource(base)) for base in bases)


@pytest.mark.parametrize("place", INTERNALS)
def test_what_is_used_is_where_it_was(place: str) -> None:
    module, _, cls = place.partition(":")
    package = module.partition(".")[0]
    found: Any = importlib.import_module(module)
    if cls:
        assert hasattr(found, cls), say(package, place, [cls])
        found = getattr(found, cls)
    missing = [name for name in INTERNALS[place] if not is_there(found, name)]
    assert not missing, say(package, place, missing)


def say(package: str, place: str, missing: list[str]) -> str:
    users = [
        path.relative_to(REPOSITORY).as_posix()
        for part in ("apps", "campaign", "site_configs")
        for path in (REPOSITORY / part).rglob("*.py")
        if package in (text := path.read_text()) and any(m in text for m in missing)
    ]
    return (
        f"{package} {version(package)} has no {', '.join(missing)} in {place} any "
        f"more. weft uses it in {', '.join(users)}: find what took its place, or keep "
        f"{package} below this version in pyproject.toml."
    )


def test_the_sentence_names_what_moved_and_who_uses_it() -> None:
    said = say("parsl", f"{HTEX}.zmq_pipes:CommandClient", ["zmq_socket"])
    assert version("parsl") in said
    assert "site_configs/pools/parsl_parts.py" in said


def test_parsls_pools_call_their_threads_as_the_watch_expects() -> None:
    from site_configs.pools import pool_watch, worker_pool

    text = inspect.getsource(importlib.import_module(THREADS))
    for name in (*pool_watch._THREADS, pool_watch._WORKER, worker_pool.DIED_IDLE):
        assert name in text, say("parsl", THREADS, [name])


def test_what_is_named_here_is_used() -> None:
    """Whoever stops using a thing takes it off the list."""
    text = "".join(
        path.read_text()
        for part in ("apps", "campaign", "site_configs")
        for path in (REPOSITORY / part).rglob("*.py")
    )
    for place, names in INTERNALS.items():
        named = names or (place.partition(":")[2],)
        assert [n for n in named if not re.search(rf"\b{n}\b", text)] == [], place


@pytest.mark.parametrize("package", ["parsl", "westpa", "torch"])
def test_the_version_here_is_within_its_bounds(package: str) -> None:
    pytest.importorskip(package)  # other Pythons are tried without torch
    text = (REPOSITORY / "pyproject.toml").read_text()
    project = tomllib.loads(text)["project"]
    asked = {r.name: r for r in map(Requirement, project["dependencies"])}
    bounds = asked[package].specifier
    assert {"<", ">="} <= {one.operator for one in bounds}
    assert version(package).partition("+")[0] in bounds
