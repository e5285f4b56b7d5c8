"""Tasks run where the site says: pinned to one GPU each, on the partition of a role."""

from pathlib import Path
from typing import Any

import parsl
import pytest
from parsl.dataflow.dflow import DataFlowKernel

from site_configs.build import build_config
from site_configs.load import load_site
from site_configs.pools.batch_jobs import cancel_jobs, read_jobs


def look_around(seconds: float) -> dict[str, Any]:
    import os
    import time

    time.sleep(seconds)
    names = ("CUDA_VISIBLE_DEVICES", "SLURM_JOB_PARTITION", "SLURM_JOB_ID")
    return {name: os.environ.get(name) for name in names}


@pytest.mark.parametrize("workers", [1, 2])
def test_every_md_worker_has_a_gpu_and_analysis_none(
    slurm, make_site, monkeypatch, tmp_path: Path, workers: int
) -> None:
    for name, value in slurm.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))
    site = load_site(make_site(tmp_path, gpus_per_node=workers, cores_per_node=workers))
    with DataFlowKernel(build_config(site, tmp_path / "parsl")) as kernel:

        def ask(role: str, seconds: float = 0.5) -> Any:
            app = parsl.python_app(look_around, kernel, executors=[role])
            return app(seconds)

        md = [f.result(60) for f in [ask("md") for _ in range(6)]]
        train, analysis = ask("train").result(60), ask("analysis").result(60)
        jobs = read_jobs(tmp_path / "jobs.jsonl")
    assert {seen["CUDA_VISIBLE_DEVICES"] for seen in md} == set("01"[:workers])
    assert {seen["SLURM_JOB_PARTITION"] for seen in [*md, train]} == {"gpu"}
    assert analysis["SLURM_JOB_PARTITION"] == "cpu"
    assert not analysis["CUDA_VISIBLE_DEVICES"]
    assert {job.executor: job.job_id for job in jobs} == {
        "md": md[0]["SLURM_JOB_ID"],
        "analysis": analysis["SLURM_JOB_ID"],
    }
    assert cancel_jobs(tmp_path / "jobs.jsonl", tmp_path / "parsl") == []
    assert read_jobs(tmp_path / "jobs.jsonl") == []
