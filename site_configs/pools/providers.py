"""Executor settings -> the Parsl provider that asks one scheduler for blocks."""

import os
import signal
from collections.abc import Callable
from typing import Any

from parsl.launchers import (
    MpiExecLauncher,
    SimpleLauncher,
    SingleNodeLauncher,
    SrunLauncher,
)
from parsl.launchers.base import Launcher
from parsl.providers import LocalProvider, LSFProvider, PBSProProvider
from parsl.providers.base import ExecutionProvider

from site_configs.pools.gridengine_provider import PatientGridEngineProvider
from site_configs.pools.slurm_provider import PatientSlurmProvider
from site_configs.pools.spanning import usual_launcher
from site_configs.schema import ExecutorConfig


class PromptLocalProvider(LocalProvider):  # type: ignore[misc]
    """Parsl's local provider, looking every second and needing no ``ps`` to stop."""

    @property
    def status_polling_interval(self) -> int:
        """Return the time between looks at a block, s."""
        return 1

    def cancel(self, job_ids: list[str]) -> list[bool]:
        """End the process group of each block."""
        for job_id in job_ids:
            job = self.resources[job_id]
            job["cancelled"] = True
            try:
                os.killpg(os.getpgid(job["remote_pid"]), signal.SIGTERM)
            except ProcessLookupError:
                continue
        return [True for _ in job_ids]


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
        return SrunLauncher(overrides=options)
    if kind == "mpiexec":
        return MpiExecLauncher(overrides=options)
    if kind == "pals":
        return MpiExecLauncher(bind_cmd="--cpu-bind", overrides=options)
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
    return PBSProProvider(
        account=executor.account,
        queue=executor.queue,
        cpus_per_node=executor.cores_per_node,
        select_options=":".join(select),
        scheduler_options=executor.scheduler_options,
        **common,
    )


def _lsf(executor: ExecutorConfig, common: dict[str, Any]) -> ExecutionProvider:
    cores = executor.cores_per_node
    return LSFProvider(
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
