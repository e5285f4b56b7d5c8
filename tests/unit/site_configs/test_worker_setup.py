"""A worker sees one GPU of those its block was granted, and a scratch of its own."""

from pathlib import Path

import pytest

from site_configs.pools.worker_setup import NODE_GPUS_VARIABLE, pin_worker, take_scratch


def _pinned(rank: int, kind: str, per_gpu: int = 1, **before: str) -> dict[str, str]:
    environ = {"PARSL_WORKER_RANK": str(rank), **before}
    pin_worker(environ, kind, 4, 4 * per_gpu)
    return environ


@pytest.mark.parametrize(
    ("kind", "variable"),
    [
        ("cuda", "CUDA_VISIBLE_DEVICES"),
        ("rocm", "ROCR_VISIBLE_DEVICES"),
        ("xpu", "ZE_AFFINITY_MASK"),
    ],
)
def test_the_workers_of_a_node_share_no_gpu(kind: str, variable: str) -> None:
    assert [_pinned(rank, kind)[variable] for rank in range(4)] == list("0123")


def test_the_numbers_are_those_that_the_scheduler_granted() -> None:
    seen = [_pinned(r, "cuda", CUDA_VISIBLE_DEVICES="2,5") for r in (0, 1)]
    assert [s["CUDA_VISIBLE_DEVICES"] for s in seen] == ["2", "5"]
    assert seen[0][NODE_GPUS_VARIABLE] == "2,5"


def test_two_workers_of_a_gpu_sit_side_by_side() -> None:
    seen = [_pinned(r, "cuda", per_gpu=2)["CUDA_VISIBLE_DEVICES"] for r in range(8)]
    assert seen == list("00112233")


def test_no_second_filter_is_left_on_amd() -> None:
    environ = _pinned(
        3, "rocm", CUDA_VISIBLE_DEVICES="0,1,2,3", HIP_VISIBLE_DEVICES="0,1,2,3"
    )
    assert environ["ROCR_VISIBLE_DEVICES"] == "3"
    assert not {"CUDA_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES"} & set(environ)


def test_a_pool_without_gpus_is_left_alone() -> None:
    environ = {"PARSL_WORKER_RANK": "0"}
    pin_worker(environ, "cuda", 0, 1)
    assert environ == {"PARSL_WORKER_RANK": "0"}


def test_no_two_workers_get_one_scratch_folder(tmp_path: Path) -> None:
    folders = set()
    for node in ("n1", "n2"):
        for rank in "01":
            environ = {"WEFT_SCRATCH": str(tmp_path), "SLURMD_NODENAME": node}
            environ["PARSL_WORKER_RANK"] = rank
            take_scratch(environ)
            folders.add(environ["WEFT_SCRATCH"])
    assert len(folders) == 4
    assert all(Path(folder).is_dir() for folder in folders)


def test_a_lone_worker_has_all_gpus_of_its_node() -> None:
    environ = {"CUDA_VISIBLE_DEVICES": "2,3,5,7"}
    pin_worker(environ, "cuda", 4, 1)
    assert environ["CUDA_VISIBLE_DEVICES"] == "2,3,5,7"


def test_fewer_workers_than_gpus_share_them_out() -> None:
    seen = []
    for rank in range(2):
        environ = {"PARSL_WORKER_RANK": str(rank)}
        pin_worker(environ, "cuda", 4, 2)
        seen.append(environ["CUDA_VISIBLE_DEVICES"])
    assert seen == ["0,1", "2,3"]
