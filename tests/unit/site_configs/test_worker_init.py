"""What a block runs first: bash itself says what its variables became."""

import subprocess
from pathlib import Path

import pytest

from site_configs.pools.worker_init import usable_cores, write_worker_init
from site_configs.schema import ExecutorConfig


def _variable(script: str, name: str, home: Path) -> str:
    done = subprocess.run(
        ["bash", "-c", f'{script}\nprintf %s "${name}"'],
        env={"HOME": str(home), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


def test_a_worker_gets_the_threads_of_its_cores(tmp_path: Path) -> None:
    script = write_worker_init(ExecutorConfig(cores_per_worker=4), {})
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        assert _variable(script, name, tmp_path) == "4"


def test_the_site_expands_on_the_node_and_overrides_ours(tmp_path: Path) -> None:
    executor = ExecutorConfig(
        environment={"CACHE": "$HOME/a b", "QUOTED": 'say "x"'},
        worker_init="export OMP_NUM_THREADS=3",
    )
    script = write_worker_init(executor, {})
    assert _variable(script, "CACHE", tmp_path) == f"{tmp_path}/a b"
    assert _variable(script, "QUOTED", tmp_path) == 'say "x"'
    assert _variable(script, "OMP_NUM_THREADS", tmp_path) == "3"


def test_the_campaigns_tag_survives_whatever_the_site_does(tmp_path: Path) -> None:
    executor = ExecutorConfig(worker_init="export WEFT_TAG=other")
    script = write_worker_init(executor, {"WEFT_TAG": "run $1 'x'"})
    assert _variable(script, "WEFT_TAG", tmp_path) == "run $1 'x'"


def test_scratch_is_made_and_holds_compiled_kernels(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("WARP_CACHE_PATH", raising=False)
    script = write_worker_init(ExecutorConfig(scratch="$HOME/scratch"), {})
    assert _variable(script, "WARP_CACHE_PATH", tmp_path) == f"{tmp_path}/scratch/warp"
    assert (tmp_path / "scratch").is_dir()


def test_there_is_at_least_one_usable_core() -> None:
    assert usable_cores() >= 1
