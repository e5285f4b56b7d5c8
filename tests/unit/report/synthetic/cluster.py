"""A run on a cluster: blocks of GPUs that are lost and replaced, one for analysis."""

from pathlib import Path

import numpy as np

from .noted_work import NotedWork

SITE = """
executors:
  gpu: {scheduler: slurm, gpus_per_node: 8, cores_per_worker: 16, max_blocks: 32}
  cpu: {scheduler: slurm, cores_per_node: 4, cores_per_worker: 2}
roles: {md: gpu, train: gpu, analysis: cpu}
"""
STAGES = ["prepare", "sample", "ingest", "train_weighted", "report"]
PER_BLOCK = 8


def write_cluster_run(
    root: Path, n_blocks: int = 25, task_s: float = 240.0, n_iterations: int = 60
) -> Path:
    """Write the notes of a run on ``n_blocks`` times eight GPUs.

    Every sixth block is lost after a third of its iterations and replaced.
    """
    work, rng = NotedWork(), np.random.default_rng(8)
    work.note(0, "run_started", stages=STAGES)
    work.block(2, "queued", 0, "analysis")
    work.block(30, "running", 2, "analysis")
    work.stage("prepare", 3, 60)
    work.task(7, "prepare_system", "prepare", 31, 59, role="analysis", host="login")
    length = 1.15 * task_s
    end = 60 + n_iterations * length
    work.stage("sample", 60, end)
    for k in range(n_blocks):
        queued = float(rng.exponential(2 * task_s))
        lost = k % 6 == 5
        until = 60 + (n_iterations // 3) * length if lost else end
        _run_block(work, rng, str(k), 10 + 100 * k, 60.0, queued, until, task_s, lost)
        if lost:
            work.failed_try(until, "sample", "lost", "ManagerLost(b'1', 'n')")
            _run_block(work, rng, f"{k}b", 60 + 100 * k, until, task_s, end, task_s)
    for n in range(n_iterations):
        begin = 60 + (n + 1) * length
        work.task(8, "ingest_iterations", "ingest", begin, begin + 0.2 * task_s,
                  role="analysis", host="login")  # fmt: skip
    last = end + task_s
    work.stage("ingest", end, last)
    work.stage("train_weighted", last, last + 8 * task_s)
    work.task(9, "train_model", "train_weighted", last, last + 8 * task_s,
              role="train", host="node0")  # fmt: skip
    work.note(last + 8 * task_s, "started", "report")
    work.write(root)
    (root / "site.yaml").write_text(SITE)
    return root


def _run_block(
    work: NotedWork, rng: np.random.Generator, name: str, pid: int, asked: float,
    wait: float, until: float, task_s: float, lost: bool = False,
) -> None:  # fmt: skip
    """Note a block of eight workers that propagate until it ends or is lost."""
    more = {"job_id": f"4{pid}"}
    work.block(asked, "queued", 0, "md", name, **more)
    work.block(asked + wait, "running", PER_BLOCK, "md", name, **more)
    if lost:
        work.block(until, "lost", PER_BLOCK, "md", name, said="NODE_FAIL", **more)
        work.block(until + 60, "lost", 0, "md", name, said="NODE_FAIL", **more)
    length = 1.15 * task_s
    first = int(np.ceil((asked + wait - 60) / length))
    for n in range(first, int((until - 60) / length)):
        for k in range(PER_BLOCK):
            begin = 60 + n * length
            seconds = task_s * float(rng.uniform(0.8, 1.1))
            work.task(pid + k, "propagate_block", "sample", begin, begin + seconds,
                      host=f"node{name}")  # fmt: skip
