"""Parsl's pool of workers, made to leave when one of them dies between two tasks.

Started in place of Parsl's process_worker_pool.py. Its workers share one queue, whose
lock an idle worker holds while it waits. A SIGKILL of that worker (by the kernel, short
of memory, or by a person) leaves the lock taken for ever: the pool goes on answering
heartbeats and never runs another task. A worker killed just after a task may take its
result along. Nothing can be mended from outside, so the pool ends, its tasks count as
lost, and they are tried again on another. A worker that dies at work costs its own
task alone, as before.
"""

import logging
import os
import runpy

POOL = "parsl.executors.high_throughput.process_worker_pool"
DIED_IDLE = "was not busy when it died"
"""What Parsl's watchdog logs; a test kills an idle worker to see that it still does."""

LAUNCHER = "python -P -m site_configs.pools.worker_pool"
PARSLS_LAUNCHER = "process_worker_pool.py"
_STATUS = 75


class LeaveWithIdleWorker(logging.Handler):
    """Ends the pool, and the tasks it runs, on the watchdog's word."""

    def emit(self, record: logging.LogRecord) -> None:
        """Look for the word in one log record."""
        if DIED_IDLE not in record.getMessage():
            return
        import psutil

        for child in psutil.Process().children(recursive=True):
            child.kill()
        os._exit(_STATUS)


def main() -> None:
    """Listen to the watchdog, then be Parsl's pool."""
    logging.getLogger(POOL).addHandler(LeaveWithIdleWorker())
    runpy.run_module(POOL, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
