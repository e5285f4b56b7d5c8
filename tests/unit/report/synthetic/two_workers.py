"""The work of a campaign on two workers whose first driver dies in mid-sampling."""

from pathlib import Path

from .noted_work import NotedWork

STAGES = [
    "prepare", "reference", "tica", "sample", "ingest", "prior", "dataset",
    "train_weighted", "train_unweighted", "benchmark_weighted",
    "benchmark_unweighted", "report",
]  # fmt: skip
LOCAL_SITE = "executors: {pool: {scheduler: local}}\n"


def write_work(root: Path) -> None:
    """Write ledger, tasks and events of both starts."""
    work = NotedWork()
    _first_start(work)
    _second_start(work, 1000.0)
    work.write(root)
    (root / "site.yaml").write_text(LOCAL_SITE)


def _first_start(work: NotedWork) -> None:
    work.note(0, "run_started", stages=STAGES)
    work.block(4, "running", 2)
    work.stage("prepare", 5, 25)
    work.stage("reference", 25, 115)
    work.stage("tica", 115, 119)
    work.task(11, "prepare_system", "prepare", 5, 24.5)
    work.task(11, "simulate_walk", "reference", 25.2, 114)
    work.task(12, "simulate_walk", "reference", 25.2, 110)
    work.task(12, "fit_reference_tica", "tica", 115.1, 118.8, role="analysis")
    work.note(119, "started", "sample")
    for k in range(15):
        for pid in (11, 12):
            begin = 119.5 + 5 * k
            work.task(pid, "propagate_block", "sample", begin, begin + 4.5)
    work.failed_try(150, "sample", "lost", "WorkerLost(0, 'node')")
    work.note(194, "started", "ingest")


def _second_start(work: NotedWork, at: float) -> None:
    work.note(at, "run_started", stages=STAGES)
    work.block(at + 3, "running", 2)
    work.note(at + 4, "started", "sample")
    for k in range(15):
        begin = at + 5.5 + 5 * k
        for pid in (21, 22):
            work.task(pid, "propagate_block", "sample", begin, begin + 4.4)
        work.task(
            22, "ingest_iterations", "ingest", begin + 4.5, begin + 4.9, role="analysis"
        )
    work.note(at + 81, "done", "sample", seconds=77.0, outputs={})
    work.note(at + 82, "done", "ingest", seconds=1.0, outputs={})
    at += 82
    for stage, app, seconds in (("prior", "fit_prior", 8.0),
                                ("dataset", "write_delta_forces", 6.0)):  # fmt: skip
        work.stage(stage, at, at + seconds)
        work.task(21, app, stage, at + 0.1, at + seconds, role="analysis")
        at += seconds
    # a bash app: the command notes its time, in a process of its own
    for pid, model in ((31, "weighted"), (32, "unweighted")):
        work.stage(f"train_{model}", at, at + 120)
        work.task(
            pid, "train_model", f"train_{model}", at + 0.2, at + 119, role="train"
        )
    at += 120
    for model in ("weighted", "unweighted"):
        stage = f"benchmark_{model}"
        work.stage(stage, at, at + 50)
        for k in range(12):
            begin = at + 0.4 + 4 * k
            for pid in (21, 22):
                work.task(pid, "propagate_block", stage, begin, begin + 3.6)
        at += 50
    work.note(at, "started", "report")
