"""What a site file says reaches Parsl's executors and providers."""

from pathlib import Path
from typing import Any

import pytest

from site_configs.build import build_config
from site_configs.checks.submit_script import submit_scripts
from site_configs.load import load_site
from site_configs.pools.capacity import count_workers
from site_configs.schema import Site


def _site(**executor: Any) -> Site:
    return Site.model_validate({"name": "here", "executors": {"pool": executor}})


def _script(folder: Path, **executor: Any) -> str:
    return submit_scripts(_site(**executor), folder, ["md"])["md"]


def test_workers_that_share_gpus_are_counted_and_not_pinned_by_parsl(
    tmp_path: Path,
) -> None:
    site = _site(gpus_per_node=4, workers_per_gpu=3, max_blocks=2)
    (executor,) = build_config(site, tmp_path, roles=["md"]).executors
    assert executor.max_workers_per_node == 12
    assert executor.available_accelerators == []
    assert count_workers(site, "md") == 24


def test_ports_and_affinity_are_those_of_the_file(tmp_path: Path) -> None:
    site = _site(port_range=[50000, 50100], cpu_affinity="list:0-1:2-3")
    (executor,) = build_config(site, tmp_path, roles=["md"]).executors
    assert executor.worker_port_range == (50000, 50100)
    assert "--cpu-affinity list:0-1:2-3" in _script(
        tmp_path, cpu_affinity="list:0-1:2-3"
    )


@pytest.mark.parametrize("scheduler", ["local", "slurm"])
def test_a_container_is_put_around_the_pool(tmp_path: Path, scheduler: Any) -> None:
    script = _script(
        tmp_path, scheduler=scheduler, container="apptainer exec ${SIF:-weft.sif}"
    )
    assert "apptainer exec ${SIF:-weft.sif} python -P -m site_configs" in script


def test_mps_starts_on_each_node_before_the_pool(tmp_path: Path) -> None:
    script = _script(
        tmp_path, scheduler="slurm", gpus_per_node=4, workers_per_gpu=2, mps=True
    )
    started = script.index("nvidia-cuda-mps-control -d")
    assert started < script.index("site_configs.pools.worker_pool")


def test_a_python_file_is_the_whole_configuration(tmp_path: Path) -> None:
    path = tmp_path / "odd.py"
    path.write_text(
        "def config(run_dir, environment):\n"
        "    import parsl\n"
        "    threads = parsl.ThreadPoolExecutor(label='md', max_threads=5)\n"
        "    return parsl.Config(executors=[threads])\n"
    )
    site = load_site(path)
    config = build_config(site, tmp_path / "parsl", {"TAG": "x"}, ["md"])
    assert config.run_dir == str(tmp_path / "parsl")
    assert count_workers(site, "md") == 5
