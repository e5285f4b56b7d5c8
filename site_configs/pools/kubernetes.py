"""Executor settings -> Parsl's provider of Kubernetes pods."""

from importlib.util import find_spec
from typing import Any

from parsl.providers import KubernetesProvider

from site_configs.errors import SiteError
from site_configs.schema import ExecutorConfig

_GPU = {"cuda": "nvidia.com/gpu", "rocm": "amd.com/gpu", "xpu": "gpu.intel.com/i915"}


def make_kubernetes(executor: ExecutorConfig, common: dict[str, Any]) -> Any:
    """Return the provider; a block is a pod of one node.

    Raises
    ------
    SiteError
        If the Kubernetes client is missing, or no cluster is configured here.
    """
    if find_spec("kubernetes") is None:
        raise SiteError(
            "This site needs the Kubernetes client. Install it with "
            "`pip install kubernetes`."
        )
    cores = executor.cores_per_node or executor.cores_per_worker
    memory = f"{executor.memory_per_node_gib or 4}Gi"
    gpus = {}
    if executor.gpus_per_node:
        gpus = {_GPU[executor.accelerator]: str(executor.gpus_per_node)}
    settings = {k: v for k, v in common.items() if k not in ("walltime", "launcher")}
    try:
        return KubernetesProvider(
            image=executor.image,
            namespace=executor.namespace,
            init_cpu=cores,
            max_cpu=cores,
            init_mem=memory,
            max_mem=memory,
            extra_requests=gpus,
            extra_limits=gpus,
            persistent_volumes=list(executor.volumes.items()),
            **settings,
        )
    except Exception as error:  # the client's own class, there only if installed
        if type(error).__name__ != "ConfigException":
            raise
        raise SiteError(
            f"There is no Kubernetes cluster configured on this host: {error} "
            "Set KUBECONFIG, or run this inside the cluster."
        ) from None
