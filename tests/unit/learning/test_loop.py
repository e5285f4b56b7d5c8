import json
import logging
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch

from apps.science.cg.checkpoint import load_network, read_checkpoint
from apps.science.content import hash_content
from apps.science.errors import DataError, NumericalError
from apps.science.learning.loop import train
from apps.science.tasks.force_matching.config import TrainingJob

sys.path.insert(0, str(Path(__file__).parents[2]))
from cut_training import read_losses, stop_after

Make = Callable[..., TrainingJob]


@pytest.mark.random_outcome
def test_training_learns_a_spring(make_job: Make, margin) -> None:
    job = make_job(
        "spring", n_epochs=60, patience=60, learning_rate=5e-3, ema_decay=0.9
    )
    assert train(job)
    losses = read_losses(job)
    assert len(losses) == 60
    margin("last / first loss", losses[-1, 2] / losses[0, 2], below=0.5)


def test_training_again_after_it_has_finished_changes_nothing(make_job: Make) -> None:
    job = make_job("twice", n_epochs=2)
    train(job)
    best = (job.out / "checkpoints" / "best.pt").read_bytes()
    metrics = (job.out / "metrics.csv").read_bytes()
    assert train(job)
    assert (job.out / "checkpoints" / "best.pt").read_bytes() == best
    assert (job.out / "metrics.csv").read_bytes() == metrics


@pytest.mark.parametrize("schedule", ["cosine", "plateau"])
@pytest.mark.parametrize("sampling", ["uniform", "weighted"])
@pytest.mark.parametrize("n_steps", [1, 5, 8])
def test_a_stopped_training_resumes_as_if_never_stopped(
    make_job: Make, monkeypatch: pytest.MonkeyPatch, n_steps: int, sampling: str,
    schedule: str,
) -> None:  # fmt: skip
    settings = {"sampling": sampling, "schedule": schedule, "plateau_patience": 1}
    whole, cut = make_job("whole", **settings), make_job("cut", **settings)
    assert train(whole)
    with monkeypatch.context() as patch:
        stop_after(patch, n_steps)
        assert not train(cut)
    assert train(cut)
    np.testing.assert_array_equal(read_losses(cut), read_losses(whole))
    one = read_checkpoint(whole.out / "checkpoints" / "best.pt")["weights"]
    two = read_checkpoint(cut.out / "checkpoints" / "best.pt")["weights"]
    assert all(torch.equal(one[name], two[name]) for name in one)


def test_weights_change_what_is_learnt(make_job: Make) -> None:
    one, two = make_job("w", weighted=True), make_job("u", weighted=False)
    train(one)
    train(two)
    assert not np.allclose(read_losses(one), read_losses(two))


def test_early_stopping_ends_a_training_that_stalls(make_job: Make) -> None:
    job = make_job(
        "stall", n_epochs=50, patience=2, learning_rate=1e-12, learning_rate_min=0.0
    )
    progress = job.out / "progress.json"
    assert train(job.model_copy(update={"progress": progress}))
    assert len(read_losses(job)) < 50
    told = json.loads(progress.read_text())
    assert told["done"] == told["total"] == len(read_losses(job))


def test_a_loss_that_is_not_finite_is_an_error(make_job: Make) -> None:
    job = make_job("nan")
    with h5py.File(job.dataset, "a") as h5:
        for group in h5["mol"].values():
            group["delta"][0] = 1e30  # its square is not finite
    with pytest.raises(NumericalError, match=r"Lower training\.learning_rate"):
        train(job)


def test_other_settings_do_not_resume_an_old_checkpoint(make_job: Make) -> None:
    train(make_job("same", n_epochs=2))
    other = make_job("same", n_epochs=3, learning_rate=1e-4)
    train(other)
    assert len(read_losses(other)) == 3


def damage(path: Path) -> bytes:
    """Change a byte in the middle; return what the file is now."""
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0xFF
    path.write_bytes(data)
    return bytes(data)


@pytest.mark.parametrize("lost", [("last",), ("last", "last.previous"), ("best",)])
def test_damaged_checkpoints_are_kept_aside_and_cost_no_result(
    make_job: Make, lost: tuple[str, ...], caplog: pytest.LogCaptureFixture
) -> None:
    """Of the last the one before serves; the best is in the last too."""
    caplog.set_level(logging.INFO)
    job = make_job("damaged", n_epochs=4)
    train(job)
    folder = job.out / "checkpoints"
    losses, best = read_losses(job), read_checkpoint(folder / "best.pt")
    damaged = {name: damage(folder / f"{name}.pt") for name in lost}
    caplog.clear()
    assert train(job)
    for name, data in damaged.items():
        assert (folder / f"{name}.damaged.pt").read_bytes() == data
        assert f"{name}.pt is damaged" in caplog.text
    assert ("epoch 4:" in caplog.text) == (lost != ("best",))
    assert ("epoch 1:" in caplog.text) == (len(lost) == 2)
    np.testing.assert_array_equal(read_losses(job), losses)
    again = read_checkpoint(folder / "best.pt")
    for content in (best, again):
        content["provenance"].pop("written")
    assert again["provenance"] == best["provenance"]
    for name, value in best["weights"].items():
        assert torch.equal(again["weights"][name], value)


def test_a_best_model_that_was_deleted_is_written_again(make_job: Make) -> None:
    job = make_job("deleted", n_epochs=2)
    train(job)
    best = job.out / "checkpoints" / "best.pt"
    before = hash_content(best)
    best.unlink()
    assert train(job)
    assert hash_content(best) == before


def test_a_checkpoint_without_the_best_weights_resumes_as_before(
    make_job: Make, caplog: pytest.LogCaptureFixture
) -> None:
    """Until version 0.1 they stood in best.pt alone."""
    job = make_job("older", n_epochs=2)
    train(job)
    losses, last = read_losses(job), job.out / "checkpoints" / "last.pt"
    content = torch.load(last, weights_only=True)
    del content["training"]["best"]
    torch.save(content, last)
    caplog.set_level(logging.INFO)
    assert train(job)
    assert "resuming after 2 epochs" in caplog.text
    damage(last.with_name("best.pt"))
    assert train(job)  # from scratch, with the same result
    assert "starting from scratch" in caplog.text
    np.testing.assert_array_equal(read_losses(job), losses)


def test_somebody_s_file_in_the_place_of_a_checkpoint_is_kept(make_job: Make) -> None:
    job = make_job("theirs", n_epochs=1)
    best = job.out / "checkpoints" / "best.pt"
    best.parent.mkdir(parents=True)
    best.write_text("my only copy")
    assert train(job)
    assert best.with_name("best.other.pt").read_text() == "my only copy"
    assert read_checkpoint(best)


def test_the_best_model_is_ready_for_use(make_job: Make) -> None:
    job = make_job("use", n_epochs=2)
    train(job)
    network = load_network(job.out / "checkpoints" / "best.pt")
    energy = network.energy(torch.randn(3, 4, 3), torch.tensor([1, 2, 3, 4]))
    assert energy.shape == (3,)
    assert read_checkpoint(job.out / "checkpoints" / "best.pt")["training"] is None


def test_a_missing_dataset_names_the_stage_to_run(make_job: Make) -> None:
    job = make_job("none").model_copy(update={"dataset": Path("/nonexistent/d.h5")})
    with pytest.raises(DataError, match="dataset stage"):
        train(job)


@pytest.mark.slow
def test_two_ranks_match_one(make_job: Make, run_ranks) -> None:
    single, double = make_job("one"), make_job("two")
    train(single)
    run_ranks(double, 2)
    np.testing.assert_allclose(read_losses(double), read_losses(single), rtol=1e-5)
    paths = [job.out / "checkpoints" / "best.pt" for job in (single, double)]
    one, two = (read_checkpoint(path)["weights"] for path in paths)
    for name, value in one.items():
        torch.testing.assert_close(two[name], value, rtol=1e-5, atol=1e-5)


@pytest.mark.slow
def test_an_unfinished_training_of_version_0_1_goes_on(
    make_job: Make, write_job, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its job named no task, its checkpoint one optimiser and one pair of sums."""
    whole, cut = make_job("whole"), make_job("cut")
    assert train(whole)
    with monkeypatch.context() as patch:
        stop_after(patch, 8)
        assert not train(cut)
    last = cut.out / "checkpoints" / "last.pt"
    content = torch.load(last, weights_only=True)
    training = content["training"]
    (training["optimiser"],) = training.pop("optimisers").values()
    ((loss, count),) = training["progress"].pop("sums").values()
    training["progress"] |= {"error_sum": loss, "factor_sum": count}
    torch.save(content, last)
    job = write_job(cut)
    job.write_text(job.read_text().replace("task: force_matching\n", ""))
    done = subprocess.run(
        [sys.executable, "-m", "apps.science.training", str(job)],
        capture_output=True, text=True, check=False,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "resuming after 1 epochs and 4 batches" in done.stderr
    np.testing.assert_array_equal(read_losses(cut), read_losses(whole))
    one, two = (
        read_checkpoint(job.out / "checkpoints" / "best.pt")["weights"]
        for job in (whole, cut)
    )
    assert all(torch.equal(one[name], two[name]) for name in one)


@pytest.mark.slow
def test_a_wrong_job_file_exits_with_two(make_job: Make, write_job) -> None:
    path = write_job(make_job("wrong"))
    path.write_text(path.read_text() + "colour: red\n")
    run = subprocess.run(
        [sys.executable, "-m", "apps.science.learning", str(path)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert run.returncode == 2
    assert "colour" in run.stderr
