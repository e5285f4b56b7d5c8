"""Parsl's local provider with what a folder's name or a bare system breaks mended.

Parsl's own hands the path of its script to a shell as it is: in a folder "thesis v2" it
writes to the file "thesis" beside it, and a folder "$(...)" runs what it names.
"""

import os
import signal
import subprocess
import time
from pathlib import Path

from parsl.jobs.states import JobState, JobStatus
from parsl.providers import LocalProvider
from parsl.providers.errors import SubmitException

# The script is a parameter, so no name can be read as anything else. "-" says that it
# has begun; the last line tells whom to end. Output is closed lest the caller waits.
_START = """
echo - > "$1.ec" || exit
{ bash "$1" > "$1.out" 2> "$1.err"; echo $? > "$1.ec"; } > /dev/null 2>&1 &
echo "$!"
"""


class PromptLocalProvider(LocalProvider):  # type: ignore[misc]
    """Any path will do; looks every second and needs no ``ps`` to stop."""

    @property
    def status_polling_interval(self) -> int:
        """Return the time between looks at a block, s."""
        return 1

    def submit(self, command: str, tasks_per_node: int, job_name: str = "weft") -> str:
        """Start one block and return its process id.

        Raises
        ------
        SubmitException
            If it cannot be started.
        """
        name = f"{job_name}.{time.time()}"
        script = Path(self.script_dir).absolute() / f"{name}.sh"
        launched = self.launcher(
            command, tasks_per_node, self.nodes_per_block, self.script_dir
        )
        text = f"{self.worker_init}\nexport JOBNAME={name}\n{launched}"
        self._write_submit_script(text, str(script))
        done = subprocess.run(
            ["/bin/bash", "-c", _START, "bash", str(script)],
            capture_output=True, text=True, check=False, timeout=self.cmd_timeout,
            stdin=subprocess.DEVNULL, process_group=0,
        )  # fmt: skip
        if done.returncode != 0:
            raise SubmitException(
                name, "the block did not start", done.stdout, done.stderr
            )
        job_id: str = done.stdout.strip()
        self.resources[job_id] = {
            "job_id": job_id,
            "status": JobStatus(JobState.RUNNING),
            "remote_pid": int(job_id),
            "script_path": str(script),
        }
        return job_id

    def _write_submit_script(self, text: str, path: str) -> None:
        Path(path).write_text(text, encoding="utf-8")

    def cancel(self, job_ids: list[str]) -> list[bool]:
        """End the process group of each block."""
        for job_id in job_ids:
            job = self.resources[job_id]
            job["cancelled"] = True
            try:
                group = os.getpgid(job["remote_pid"])
                os.killpg(group, signal.SIGTERM)
                os.killpg(group, signal.SIGCONT)  # a stopped one would not hear
            except ProcessLookupError:
                continue
        return [True for _ in job_ids]
