"""Parsl's pilot-job executor with workers set up as the site file says."""

import shlex
from concurrent.futures import Future
from typing import Any

import zmq
from parsl.jobs.states import TERMINAL_STATES

from site_configs.pools.any_folder import find_certificates_in_any_folder
from site_configs.pools.noting_executor import NotingExecutor
from site_configs.pools.parsl_parts import PatientCommandClient, interchange_gone
from site_configs.pools.worker_setup import run_set_up
from site_configs.schema import ExecutorConfig

REACH_SECONDS = 30
"""A pool that reaches no address of the driver in this time ends, and says so."""

_MPS = (
    "export CUDA_MPS_PIPE_DIRECTORY=/tmp/weft-mps-$USER-$HOSTNAME; "
    "export CUDA_MPS_LOG_DIRECTORY=$CUDA_MPS_PIPE_DIRECTORY; "
    "nvidia-cuda-mps-control -d; "
)


class PoolExecutor(NotingExecutor):
    """Gives each worker its GPU and its scratch folder before its first task.

    It ends in order, its blocks included, whether its interchange lives or not.
    """

    launch_cmd: str
    _setup: tuple[str, int, int] | None = None

    def prepare_workers(self, executor: ExecutorConfig) -> None:
        """Set up workers from now on."""
        if executor.gpus_per_node or executor.scratch:
            workers = 1 if executor.task_spans_block else executor.slots_per_node
            self._setup = (executor.accelerator, executor.gpus_per_node, workers or 1)

    def start(self) -> None:
        """Start the interchange; the run folder may have any name."""
        find_certificates_in_any_folder()
        super().start()

    def initialize_scaling(self) -> None:
        """Compose the pools' command with every path quoted, then start blocks."""
        command = self.launch_cmd
        for name, path in (
            ("cert_dir", self.cert_dir),
            ("logdir", self.worker_logdir),
            ("logconf", self.logconf_path),
        ):
            said = twice_formatted(shlex.quote(str(path)))
            command = command.replace(f"{{{name}}}", said)
        self.launch_cmd = command
        super().initialize_scaling()

    def submit(
        self, func: Any, resource_specification: Any, *args: Any, **kwargs: Any
    ) -> Future[Any]:
        """Send one task to the workers."""
        if self._setup is not None:
            args = (self._setup, func, *args)
            func = run_set_up
        future: Future[Any] = super().submit(
            func, resource_specification, *args, **kwargs
        )
        return future

    def scale_in(self, blocks: int, max_idletime: float | None = None) -> list[str]:
        """Give blocks back; all of them where nobody can tell which are idle."""
        if not interchange_gone(self):
            ended: list[str] = super().scale_in(blocks, max_idletime)
            return ended
        return self._cancel_all()

    def shutdown(self, timeout: float = 10.0) -> None:
        """End the interchange; tasks that it did not take are not waited for."""
        if hasattr(self, "outgoing_q"):
            self.outgoing_q.zmq_socket.setsockopt(zmq.LINGER, 0)
        if interchange_gone(self):
            self._cancel_all()
        super().shutdown(timeout)

    def _cancel_all(self) -> list[str]:
        status = self.status_facade
        left = {
            block: job
            for block, job in self.blocks_to_job_id.items()
            if block not in status or status[block].state not in TERMINAL_STATES
        }
        if left:
            self.provider.cancel(list(left.values()))
        return list(left)

    def _start_local_interchange_process(self) -> None:
        PatientCommandClient.adopt(self)
        super()._start_local_interchange_process()


def pool_settings(executor: ExecutorConfig) -> dict[str, Any]:
    """Return the settings of the pools that start on each node."""
    settings: dict[str, Any] = {
        "cpu_affinity": executor.cpu_affinity,
        "address_probe_timeout": REACH_SECONDS,
    }
    if executor.port_range:
        settings["worker_port_range"] = executor.port_range
    return settings


def twice_formatted(text: str) -> str:
    """Return what ``text`` must be for Parsl, which formats its command twice."""
    return text.replace("{", "{{{{").replace("}", "}}}}")


def wrap_launch_command(command: str, executor: ExecutorConfig) -> str:
    """Return what starts a pool on a node: MPS beside it, a container around it."""
    if executor.container:
        command = f"{twice_formatted(executor.container.strip())} {command}"
    return f"{_MPS}{command}" if executor.mps else command
