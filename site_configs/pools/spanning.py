"""How a task that has all nodes of its block starts a process on each of them."""

from site_configs.schema import ExecutorConfig, Launcher


def usual_launcher(executor: ExecutorConfig) -> Launcher:
    """Return the launcher that ``auto`` means where there are several nodes."""
    return "srun" if executor.scheduler == "slurm" else "mpiexec"


def describe_block(executor: ExecutorConfig) -> dict[str, str]:
    """Return the variables by which a task knows the block that it spans.

    ``WEFT_ON_EACH_NODE`` is the start of a command that runs the rest once a node,
    free to use all of its cores and GPUs.
    """
    if not executor.task_spans_block:
        return {}
    variables = {"WEFT_BLOCK_NODES": str(executor.nodes_per_block)}
    if executor.slots_per_node is not None:
        variables["WEFT_PROCESSES_PER_NODE"] = str(executor.slots_per_node)
    if executor.nodes_per_block > 1:
        variables["WEFT_ON_EACH_NODE"] = _on_each_node(executor)
        if executor.interface is not None:
            variables["WEFT_INTERFACE"] = executor.interface
    return variables


def _on_each_node(executor: ExecutorConfig) -> str:
    n, kind = executor.nodes_per_block, executor.launcher
    if kind == "auto":
        kind = usual_launcher(executor)
    command = {
        "srun": f"srun --nodes={n} --ntasks={n} --ntasks-per-node=1 --cpu-bind=none",
        "mpiexec": f"mpiexec --bind-to none -n {n} -ppn 1",
        "pals": f"mpiexec --cpu-bind none -n {n} --ppn 1",
    }[kind]
    parts = (command, executor.launcher_options, executor.container)
    return " ".join(part.strip() for part in parts if part.strip())
