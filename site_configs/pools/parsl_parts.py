"""The processes and threads that Parsl needs beside the driver: ask, and watch, them.

Parsl asks its interchange without a time limit and does not look whether it lives: with
it gone, its threads, its shutdown and the driver wait for ever. It also closes its
sockets under other threads that use them, whereupon ZeroMQ aborts the whole process.
"""

import signal
import threading
import time
from collections.abc import Callable
from typing import Any

import zmq
from parsl.executors.high_throughput.errors import (
    CommandClientBadError,
    CommandClientTimeoutError,
)
from parsl.executors.high_throughput.zmq_pipes import CommandClient, TasksOutgoing

ANSWER_S = 120.0
"""An interchange that answers no command for so long is taken for hung."""
SLICE_MS = 250


class InterchangeGoneError(Exception):
    """A task was to be sent to an interchange that is not there."""


class PatientCommandClient(CommandClient):  # type: ignore[misc]
    """Asks the interchange while it lives, and never for longer than ``ANSWER_S``."""

    is_gone: Callable[[], bool]
    closing = False

    @classmethod
    def adopt(cls, executor: Any) -> None:
        """Give the client of a HighThroughputExecutor these manners."""
        # Parsl makes the client itself, in the middle of the executor's start
        executor.command_client.__class__ = cls
        executor.command_client.is_gone = lambda: interchange_gone(executor)

    def close(self) -> None:
        """Close the socket once no thread asks through it; those that do give up."""
        self.closing = True
        with self._lock:
            if not self.zmq_socket.closed:
                super().close()

    def run(
        self, message: Any, max_retries: int = 3, timeout_s: float | None = None
    ) -> Any:
        """Return the interchange's answer.

        Raises
        ------
        CommandClientBadError
            If it is gone, did not answer an earlier question, or this is closed.
        CommandClientTimeoutError
            If it does not answer.
        """
        end = time.monotonic() + (ANSWER_S if timeout_s is None else timeout_s)
        with self._lock:
            if not self.ok or self.closing:
                raise CommandClientBadError
            self._wait_until(zmq.POLLOUT, end)
            self.zmq_socket.send_pyobj(message, copy=True)
            self._wait_until(zmq.POLLIN, end)
            return self.zmq_socket.recv_pyobj()

    def _wait_until(self, ready: int, end: float) -> None:
        while not self.zmq_socket.poll(SLICE_MS, ready):
            if self.is_gone():
                self.ok = False
                raise CommandClientBadError
            if self.closing:
                raise CommandClientBadError
            if time.monotonic() > end:
                self.ok = False
                raise CommandClientTimeoutError("The interchange does not answer.")


class OrderlyTasksOutgoing(TasksOutgoing):  # type: ignore[misc]
    """Sends tasks while the interchange lives, through a socket that nobody closes."""

    is_gone: Callable[[], bool]
    _lock: threading.Lock
    closing = False

    @classmethod
    def adopt(cls, executor: Any) -> None:
        """Give the outgoing queue of a HighThroughputExecutor these manners."""
        queue = executor.outgoing_q
        queue._lock = threading.Lock()
        queue.is_gone = lambda: interchange_gone(executor)
        queue.__class__ = cls

    def put(self, message: Any) -> None:
        """Send a task.

        Raises
        ------
        InterchangeGoneError
            If the interchange is gone, or this is closed.
        """
        with self._lock:
            while not self.closing:
                try:
                    # one that waits in ZeroMQ, for a peer that is gone, never returns
                    self.zmq_socket.send_pyobj(message, zmq.NOBLOCK)
                    return
                except zmq.Again:
                    if self.is_gone():
                        break
                self.zmq_socket.poll(SLICE_MS, zmq.POLLOUT)
        raise InterchangeGoneError("No task can be sent: Parsl's interchange is gone.")

    def close(self) -> None:
        """Close the socket between two tasks; one that waits to be sent is given up."""
        self.closing = True
        with self._lock:
            if not self.zmq_socket.closed:
                super().close()


def interchange_gone(executor: Any) -> bool:
    """Tell whether the interchange of an executor was started and has ended."""
    process = getattr(executor, "interchange_proc", None)
    return process is not None and process.poll() is not None


def watch_commands(dfk: Any) -> None:
    """Let no executor of a loaded kernel ask for ever, or of a closed socket."""
    for executor in _executors(dfk):
        if type(getattr(executor, "outgoing_q", None)) is TasksOutgoing:
            OrderlyTasksOutgoing.adopt(executor)
        if type(getattr(executor, "command_client", None)) is CommandClient:
            PatientCommandClient.adopt(executor)


def find_lost_part(dfk: Any) -> str | None:
    """Return which part of a loaded DataFlowKernel has ended or hangs; None if none.

    An executor that says itself why it cannot go on is not lost: its tasks fail, and
    tell.
    """
    for executor in _executors(dfk):
        if getattr(executor, "bad_state_is_set", False):
            continue
        found = _lost_part_of(executor)
        if found is not None:
            return f"{found} (executor {executor.label})"
    poller = getattr(dfk.job_status_poller, "_thread", None)
    if poller is not None and not poller.is_alive():
        return "Parsl's thread that looks after the blocks of workers ended"
    return None


def _lost_part_of(executor: Any) -> str | None:
    if interchange_gone(executor):
        return f"Parsl's interchange {_how(executor.interchange_proc.returncode)}"
    client = getattr(executor, "command_client", None)
    if client is not None and not client.ok:
        return f"Parsl's interchange has not answered for {ANSWER_S:.0f} s"
    results = getattr(executor, "_result_queue_thread", None)
    if results is not None and not results.is_alive():
        return "Parsl's thread that receives results ended"
    return None


def _how(status: int) -> str:
    if status < 0:
        return f"was killed by {signal.Signals(-status).name}"
    return f"ended with status {status}"


def _executors(dfk: Any) -> list[Any]:
    """Return the executors that are not another's second name."""
    return [e for e in dfk.executors.values() if not hasattr(e, "target")]
