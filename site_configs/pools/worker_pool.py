"""Parsl's pool of workers, made to leave when one of them dies between two tasks.

Started in place of Parsl's process_worker_pool.py. Its workers share one queue, whose
lock an idle worker holds while it waits. A SIGKILL of that worker (by the kernel, short
of memory, or by a person) leaves the lock taken for ever: the pool goes on answering
heartbeats and never runs another task. A worker killed just after a task may take its
result along. Nothing can be mended from outside, so the pool ends, its tasks count as
lost, and they are tried again on another. A worker that dies at work costs its own
task alone, as before. Workers that hang and other parts that die: pool_watch.py.

A worker may also tell its pool, by a signal, that the batch job ends too soon for its
tasks: the pool then takes no more, and the job ends when those at work are done.
"""

import inspect
import logging
import os
import runpy
import signal
from types import FrameType

from site_configs.pools.pool_watch import find_manager, leave, watch_pool

POOL = "parsl.executors.high_throughput.process_worker_pool"
DIED_IDLE = "was not busy when it died"
"""What Parsl's watchdog logs; a test kills an idle worker to see that it still does."""

LAUNCHER = "python -P -m site_configs.pools.worker_pool"
PARSLS_LAUNCHER = "process_worker_pool.py"

POOL_VARIABLE = "WEFT_POOL_PID"
DRAIN_SIGNAL = signal.SIGUSR1
"""As in apps.science.stopping, which site_configs does not import."""


class LeaveWithIdleWorker(logging.Handler):
    """Ends the pool, and the tasks it runs, on the watchdog's word."""

    def emit(self, record: logging.LogRecord) -> None:
        """Look for the word in one log record."""
        if DIED_IDLE in record.getMessage():
            leave()


def drain(_signum: int, _frame: FrameType | None) -> None:
    """Let the pool ask for its end, as it would at the end of its drain_period."""
    manager = find_manager()
    if manager is not None:
        manager.drain_time = 0.0


def say_how_workers_end() -> None:
    """Let Parsl's watchdog raise an error that says how a worker ended."""
    from parsl.executors.high_throughput import errors

    from site_configs.pools import lost_worker

    before = lost_worker.count_memory_kills()

    def lost(worker_id: int, hostname: str) -> Exception:
        watchdog = inspect.currentframe()
        here = watchdog.f_back.f_locals if watchdog and watchdog.f_back else {}
        status = getattr(here.get("p"), "exitcode", None)
        kills = lost_worker.count_memory_kills() - before
        how = lost_worker.describe_end(status, kills)
        return lost_worker.WorkerLost(worker_id, hostname, how)

    errors.WorkerLost = lost


def main() -> None:
    """Listen to the watchdog and the workers, then be Parsl's pool."""
    say_how_workers_end()
    os.environ[POOL_VARIABLE] = str(os.getpid())
    signal.signal(DRAIN_SIGNAL, drain)
    logging.getLogger(POOL).addHandler(LeaveWithIdleWorker())
    watch_pool()
    runpy.run_module(POOL, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
