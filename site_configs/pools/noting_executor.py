"""Parsl's pilot-job executor, which notes each batch job before it is left alone."""

from pathlib import Path

from parsl.executors import HighThroughputExecutor

from site_configs.pools.batch_jobs import note_job


class NotingExecutor(HighThroughputExecutor):  # type: ignore[misc]
    """Writes its blocks to a file from which a later start can cancel them."""

    _jobs: Path | None = None
    _scheduler = ""

    def note_jobs(self, path: Path, scheduler: str) -> None:
        """Note every block in ``path`` from now on."""
        self._jobs, self._scheduler = path, scheduler

    def _launch_block(self, block_id: str) -> str:
        if self._jobs is not None:
            note_job(self._jobs, self.label, block_id, None, self._scheduler)
        job_id: str = super()._launch_block(block_id)
        if self._jobs is not None:
            note_job(self._jobs, self.label, block_id, job_id, self._scheduler)
        return job_id
