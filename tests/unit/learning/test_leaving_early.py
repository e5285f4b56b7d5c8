"""Training leaves a checkpoint before its batch job ends, and when asked to stop."""

import time
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from apps.science.learning.loop import train
from apps.science.stopping import MARGIN_S, must_end, seconds_left
from apps.science.tasks.force_matching.config import TrainingJob

Make = Callable[..., TrainingJob]


def leave_and_finish(
    job: TrainingJob, monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    assert not train(job)
    assert job.unfinished.exists()
    monkeypatch.delenv(name)
    assert train(job)
    assert not job.unfinished.exists()


def test_a_batch_job_near_its_end_is_left(make_job: Make, monkeypatch) -> None:
    whole, cut = make_job("whole", n_epochs=4), make_job("cut", n_epochs=4)
    assert train(whole)
    ends = str(time.time() + MARGIN_S - 5)
    leave_and_finish(cut, monkeypatch, "WEFT_BLOCK_ENDS", ends)
    one, other = (
        torch.load(job.out / "checkpoints" / "best.pt", weights_only=True)
        for job in (whole, cut)
    )
    for name, tensor in one["weights"].items():
        assert torch.equal(tensor, other["weights"][name])


def test_a_run_asked_to_stop_is_left(make_job: Make, monkeypatch, tmp_path) -> None:
    run_dir: Path = tmp_path / "run"
    run_dir.mkdir()
    (run_dir / "stop").touch()
    job = make_job("asked", n_epochs=4)
    leave_and_finish(job, monkeypatch, "WEFT_RUN_DIR", str(run_dir))


def test_time_is_left_where_no_job_ends(monkeypatch) -> None:
    monkeypatch.delenv("WEFT_BLOCK_ENDS", raising=False)
    monkeypatch.delenv("WEFT_RUN_DIR", raising=False)
    assert seconds_left() == float("inf")
    monkeypatch.setenv("WEFT_BLOCK_ENDS", str(time.time() + 2 * MARGIN_S))
    assert MARGIN_S < seconds_left() <= 2 * MARGIN_S
    assert not must_end()
