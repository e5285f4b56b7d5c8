"""Start the processes of a training on this node, and let all end as one.

``python -m apps.science.learning.start_ranks CONFIG --per-node N``, on each node of
several with ``--nodes M --meeting FOLDER``. The first process that fails ends the
others at once, on other nodes too, and its status is told. SIGTERM goes to all of them.
Exit 3: they left a checkpoint to go on from; on several nodes, whose launchers know
only failures, it is 0 then, and the job's file ``unfinished`` tells.
"""

import argparse
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import FrameType
from typing import Final

from apps.science.errors import ConfigError
from apps.science.exit_status import plain_status, say_status
from apps.science.learning.meeting import (
    ALONE,
    MEETING_VARIABLE,
    PYTHON,
    Meeting,
    network_variables,
)
from apps.science.learning.parent import end_with_parent, name_parent
from apps.science.stopping import MARGIN_S, UNFINISHED

_POLL_S: Final = 0.1
_REASON_S: Final = 2.0
"""How long the process that failed first may take to end, after others saw it."""


class NodeRanks:
    """The processes on this node."""

    def __init__(self, config: Path, per_node: int, meeting: Meeting) -> None:
        self._meeting, self._size = meeting, per_node * meeting.n_nodes
        self._first = meeting.node * per_node
        self._told, self._kill_at = False, float("inf")
        shared = {
            "WORLD_SIZE": str(self._size),
            MEETING_VARIABLE: str(meeting.folder),
            **network_variables(meeting.n_nodes),
            **name_parent(),
        }
        signal.signal(signal.SIGTERM, self._note)
        self._processes = [
            subprocess.Popen(
                [*PYTHON, "apps.science.learning", str(config)],
                env=os.environ
                | shared
                | {"RANK": str(self._first + local), "LOCAL_RANK": str(local)},
            )
            for local in range(per_node)
        ]

    def wait(self) -> int:
        """Wait for all; return 0, UNFINISHED, or how the first that failed ended."""
        seen: float | None = None
        while True:
            statuses = [process.poll() for process in self._processes]
            failed = {i: s for i, s in enumerate(statuses) if s not in _FINE}
            now = time.monotonic()
            seen = now if failed and seen is None else seen
            known = [i for i, status in failed.items() if status != ALONE]
            waited = seen is not None and now - seen > _REASON_S
            if failed and (known or waited or None not in statuses):
                return self._fail(known[0] if known else next(iter(failed)), statuses)
            if None not in statuses:
                return UNFINISHED if UNFINISHED in statuses else 0
            if self._meeting.n_nodes > 1 and self._meeting.failed:
                self._say("another node has failed, or the training was started anew")
                return ALONE
            self._pass_on(now)
            if now > self._kill_at:
                self._say(f"no checkpoint {MARGIN_S:.0f} s after SIGTERM; ended")
                return plain_status(-signal.SIGTERM)
            time.sleep(_POLL_S)

    def end(self) -> None:
        """Kill what still runs."""
        for process in self._processes:
            process.kill()
        for process in self._processes:
            process.wait()

    def _fail(self, local: int, statuses: list[int | None]) -> int:
        self._meeting.note_failure()
        status = statuses[local]
        assert status is not None
        if status != ALONE:
            which = f"process {self._first + local + 1} of {self._size}"
            self._say(f"{which} {say_status(status)}")
        return plain_status(status)

    def _note(self, _signum: int, _frame: FrameType | None) -> None:
        self._told = True

    def _pass_on(self, now: float) -> None:
        """Let all leave with a checkpoint, where this process was told to."""
        if self._told and self._kill_at == float("inf"):
            self._kill_at = now + MARGIN_S
            for process in self._processes:
                process.terminate()

    def _say(self, what: str) -> None:
        sys.stderr.write(f"training: {what}\n")
        sys.stderr.flush()


_FINE: Final = (None, 0, UNFINISHED)


def main(arguments: list[str]) -> int:
    """Run the processes of this node to their end; return the exit status."""
    parser = argparse.ArgumentParser(prog="start_ranks")
    parser.add_argument("config", type=Path)
    parser.add_argument("--per-node", type=int, required=True)
    parser.add_argument("--nodes", type=int, default=1)
    parser.add_argument("--meeting", type=Path)
    asked = parser.parse_args(arguments)
    if asked.nodes == 1:  # else the parent is the scheduler's, on another node
        end_with_parent()
    try:
        meeting = Meeting(asked.meeting, asked.nodes)
    except ConfigError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    ranks = NodeRanks(asked.config, asked.per_node, meeting)
    try:
        status = ranks.wait()
    finally:
        ranks.end()
        meeting.close()
    return 0 if status == UNFINISHED and asked.nodes > 1 else status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
