"""The shell lines that prepare a worker: threads, paths, the site's and campaign's."""

import os
import shlex
import sys
from collections.abc import Mapping
from pathlib import Path

from site_configs.pools.spanning import describe_block
from site_configs.pools.stuck_workers import HUNG_VARIABLE
from site_configs.schema import BATCH, ExecutorConfig

_THREADS = (
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "OPENMM_CPU_THREADS",
)


def write_worker_init(executor: ExecutorConfig, environment: Mapping[str, str]) -> str:
    """Return what a block runs before its workers start.

    The site's own lines come after ours and may override them; ``environment``, the
    campaign's, comes last, since leftovers are found by it.
    """
    lines = [f"export {name}={executor.cores_per_worker}" for name in _THREADS]
    lines.append("export PYTHONUTF8=1")  # a node's locale may be another
    lines.append(f'export PATH={shlex.quote(str(Path(sys.executable).parent))}:"$PATH"')
    if os.environ.get("PYTHONPATH"):  # not every scheduler hands the environment on
        lines.append(f"export PYTHONPATH={shlex.quote(os.environ['PYTHONPATH'])}")
    if executor.scratch:
        lines += [_export("WEFT_SCRATCH", executor.scratch)]
        lines += ['mkdir -p "$WEFT_SCRATCH"']
    lines.append(f"export WARP_CACHE_PATH={_kernel_cache(executor)}")
    lines += [_export(name, value) for name, value in executor.environment.items()]
    lines += [
        f"export {name}={shlex.quote(value)}"
        for name, value in describe_block(executor).items()
    ]
    lines.append(f"export {HUNG_VARIABLE}={_hung_seconds(executor):g}")
    if executor.worker_init.strip():
        lines.append(executor.worker_init.strip())
    if executor.scheduler in BATCH:  # by which long tasks leave in time
        seconds = executor.walltime_seconds
        lines.append(f"export WEFT_BLOCK_ENDS=$(( $(date +%s) + {seconds} ))")
    lines += [f"export {name}={shlex.quote(environment[name])}" for name in environment]
    return "\n".join(lines) + "\n"


def _hung_seconds(executor: ExecutorConfig) -> float:
    # of a task over several nodes this pool sees one node, perhaps the idle one
    if executor.task_spans_block and executor.nodes_per_block > 1:
        return 0.0
    return 60 * executor.hung_task_minutes


def usable_cores() -> int:
    """Return the cores this process may use: its affinity, and its cgroup's quota."""
    if hasattr(os, "sched_getaffinity"):
        cores = len(os.sched_getaffinity(0))
    else:  # macOS
        cores = os.cpu_count() or 1
    try:
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text().split()
        cores = min(cores, max(1, int(quota) // int(period)))
    except (OSError, ValueError):  # no cgroup v2, or the quota is "max"
        pass
    return cores


def _export(name: str, value: str) -> str:
    """Quote all but $NAME, which the node expands."""
    quoted = value.replace("\\", "\\\\").replace('"', '\\"').replace("`", "\\`")
    return f'export {name}="{quoted}"'


def _kernel_cache(executor: ExecutorConfig) -> str:
    """Keep compiled kernels between runs: 2 to 6 s each time they are made anew."""
    if "WARP_CACHE_PATH" in os.environ:
        return shlex.quote(os.environ["WARP_CACHE_PATH"])
    if executor.scratch:
        return '"$WEFT_SCRATCH/warp"'
    return '"${XDG_CACHE_HOME:-$HOME/.cache}/weft/warp"'
