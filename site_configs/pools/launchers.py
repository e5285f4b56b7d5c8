"""Parsl's launchers of one pool a node, with every path quoted.

Parsl's own write the pools' command to a file through the shell, which expands what is
in it a first time: a folder "$(...)" runs what it names, before any quote is looked at.
"""

import shlex

from parsl.launchers.base import Launcher

_WRITE_COMMAND = """set -e
SCRIPT_DIR={script_dir}
[[ -d "$SCRIPT_DIR" ]] || SCRIPT_DIR=$PWD
POOL="$SCRIPT_DIR/cmd_${{JOBNAME:-$$}}.sh"
cat << 'END_OF_POOL' > "$POOL"
{command}
END_OF_POOL
"""
_SRUN = """export CORES=$SLURM_CPUS_ON_NODE
export NODES=$SLURM_JOB_NUM_NODES
srun --ntasks {n} -l {options} bash "$POOL"
"""
_MPIEXEC = """export CORES=$(getconf _NPROCESSORS_ONLN)
NODES_OF_POOL="$SCRIPT_DIR/nodes_${{JOBNAME:-$$}}"
if [ -z "$PBS_NODEFILE" ]; then
  echo localhost > "$NODES_OF_POOL"
else
  sort -u "$PBS_NODEFILE" > "$NODES_OF_POOL"
fi
mpiexec {bind} none {options} -n {n} --hostfile "$NODES_OF_POOL" bash "$POOL"
"""


class _PoolLauncher(Launcher):  # type: ignore[misc]
    """Writes the pools' command to a file, and has it started on every node."""

    start = ""

    def __init__(self, options: str = "", bind: str = "") -> None:
        super().__init__(debug=True)
        self.options, self.bind = options, bind

    def __call__(
        self,
        command: str,
        tasks_per_node: int,
        nodes_per_block: int,
        script_dir: str = "",
    ) -> str:
        """Return the shell lines of a block."""
        return (_WRITE_COMMAND + self.start).format(
            command=command,
            script_dir=shlex.quote(str(script_dir)),
            n=tasks_per_node * nodes_per_block,
            options=self.options,
            bind=self.bind,
        )


class QuotingSrunLauncher(_PoolLauncher):
    """Starts a pool on each node by srun."""

    start = _SRUN


class QuotingMpiExecLauncher(_PoolLauncher):
    """Starts a pool on each node by mpiexec; ``bind`` names its option for cores."""

    start = _MPIEXEC

    def __init__(self, options: str = "", bind: str = "--bind-to") -> None:
        super().__init__(options, bind)
