"""Executor settings -> the Parsl provider that asks one scheduler for blocks."""

import shlex
from collections.abc import Callable
from typing import Any

from parsl.launchers import SimpleLauncher, SingleNodeLauncher
from parsl.launchers.base import Launcher
from parsl.providers import LSFProvider, PBSProProvider
from parsl.providers.base import ExecutionProvider

from site_configs.pools.gridengine_provider import PatientGridEngineProvider
from site_configs.pools.launchers import QuotingMpiExecLauncher, QuotingSrunLauncher
from site_configs.pools.local_provider import PromptLocalProvider
from site_configs.pools.slurm_provider import PatientSlurmProvider
from site_configs.pools.spanning import usual_launcher
from site_configs.pools.utf8_scripts import Utf8Scripts
from site_configs.schema import ExecutorConfig


class Utf8PBSProProvider(Utf8Scripts, PBSProProvider):  # type: ignore[misc]
    """Parsl's PBS Pro provider, writing scripts in UTF-8."""


class Utf8LSFProvider(Utf8Scripts, LSFProvider):  # type: ignore[misc]
    """Parsl's LSF provider, writing scripts in UTF-8."""


def make_provider(executor: ExecutorConfig, worker_init: str) -> ExecutionProvider:
    """Return the provider of ``executor``; each block runs ``worker_init`` first."""
    common: dict[str, Any] = {
        "nodes_per_block": executor.nodes_per_block,
        "init_blocks": executor.init_blocks,
        "min_blocks": executor.kept_blocks,
        "max_blocks": executor.max_blocks,
        "worker_init": worker_init,
        "launcher": make_launcher(executor),
    }
    if executor.scheduler == "local":
        return PromptLocalProvider(**common)
    if executor.scheduler == "kubernetes":
        from site_configs.pools.kubernetes import make_kubernetes

        return make_kubernetes(executor, common)
    common["walltime"] = executor.walltime
    return _BATCH[executor.scheduler](executor, common)


def make_launcher(executor: ExecutorConfig) -> Launcher:
    """Return what starts one worker pool on each node of a block."""
    if executor.task_spans_block:  # one pool, whose task starts processes elsewhere
        return SimpleLauncher()
    kind = executor.launcher
    if kind == "auto" and executor.nodes_per_block == 1:
        return SingleNodeLauncher()
    if kind == "auto":
        kind = usual_launcher(executor)
    options = executor.launcher_options
    if kind == "srun":
        return QuotingSrunLauncher(options)
    if kind == "mpiexec":
        return QuotingMpiExecLauncher(options)
    if kind == "pals":
        return QuotingMpiExecLauncher(options, bind="--cpu-bind")
    return SimpleLauncher() if kind == "simple" else SingleNodeLauncher()


def _slurm(executor: ExecutorConfig, common: dict[str, Any]) -> ExecutionProvider:
    return PatientSlurmProvider(
        partition=executor.partition,
        account=executor.account,
        qos=executor.qos,
        constraint=executor.constraint,
        exclusive=executor.exclusive,
        cores_per_node=executor.cores_per_node,
        mem_per_node=executor.memory_per_node_gib,
        gpus_per_node=executor.gpus_per_node or None,
        scheduler_options=executor.scheduler_options,
        cmd_timeout=60,
        **common,
    )


def _pbspro(executor: ExecutorConfig, common: dict[str, Any]) -> ExecutionProvider:
    gpus = f"ngpus={executor.gpus_per_node}" if executor.gpus_per_node else ""
    select = [part for part in (gpus, executor.select_options.strip(":")) if part]
    return Utf8PBSProProvider(  # it puts these two on a command line as they are
        account=executor.account and shlex.quote(executor.account),
        queue=executor.queue and shlex.quote(executor.queue),
        cpus_per_node=executor.cores_per_node,
        select_options=":".join(select),
        scheduler_options=executor.scheduler_options,
        **common,
    )


def _lsf(executor: ExecutorConfig, common: dict[str, Any]) -> ExecutionProvider:
    cores = executor.cores_per_node
    return Utf8LSFProvider(
        project=executor.account,
        queue=executor.queue,
        cores_per_node=cores,
        cores_per_block=cores and cores * executor.nodes_per_block,
        request_by_nodes=cores is None,
        scheduler_options=executor.scheduler_options,
        **common,
    )


def _gridengine(executor: ExecutorConfig, common: dict[str, Any]) -> ExecutionProvider:
    project = f"#$ -P {executor.account}\n" if executor.account else ""
    return PatientGridEngineProvider(
        queue=executor.queue,
        scheduler_options=project + executor.scheduler_options,
        **common,
    )


_BATCH: dict[str, Callable[[ExecutorConfig, dict[str, Any]], ExecutionProvider]] = {
    "slurm": _slurm,
    "pbspro": _pbspro,
    "lsf": _lsf,
    "gridengine": _gridengine,
}
