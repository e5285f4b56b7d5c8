"""One model of two proteins of different size: trained from one job, run on both."""

import csv
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from apps.science.cg.checkpoint import read_checkpoint
from apps.science.cg.force_field import load_checkpoint
from apps.science.errors import DataError
from apps.science.learning.loop import train
from apps.science.propagators.base import States
from apps.science.propagators.cg import Config, Propagator
from apps.science.tasks.force_matching.config import TrainingConfig, TrainingJob

MODEL = {"kind": "cgschnet", "embedding_dimension": 16, "num_layers": 1}
Make = Callable[..., TrainingJob]


@pytest.fixture
def make_two(two_proteins: Path, tmp_path: Path) -> Make:
    def make(name: str, **training: object) -> TrainingJob:
        settings = {"n_epochs": 3, "batch_size": 16, "warmup_steps": 2} | training
        return TrainingJob(
            dataset=two_proteins, out=tmp_path / name, seed=3, device="cpu",
            model=MODEL, training=TrainingConfig(**settings),
        )  # fmt: skip

    return make


def read_metrics(job: TrainingJob) -> list[dict[str, str]]:
    with (job.out / "metrics.csv").open() as file:
        return list(csv.DictReader(file))


@pytest.mark.random_outcome
@pytest.mark.parametrize("mixed", [True, False])
def test_one_model_learns_two_proteins_and_runs_both(
    make_two: Make, mixed: bool, margin, other_seed
) -> None:
    job = make_two(
        "both", n_epochs=40, learning_rate=2e-2, ema_decay=0.9, mixed_batches=mixed,
        protein_balance="equal",
    )  # fmt: skip
    assert train(job)
    rows = read_metrics(job)
    for name, n_beads in (("chignolin", 10), ("trp_cage", 20)):
        column = [float(row[f"val_loss_{name}"]) for row in rows]
        margin(f"{name}: last / first loss", column[-1] / column[0], below=0.95)
        field = load_checkpoint(job.out / "checkpoints" / "best.pt", name)
        config = Config(mapping="", prior="", n_steps=200, n_steps_per_frame=100)
        extended = np.zeros((3, n_beads, 3))
        extended[:, :, 0] = 3.8 * np.arange(n_beads)
        start = States(extended, np.zeros_like(extended))
        frames = Propagator(config, field).propagate(
            start, [other_seed + k for k in (1, 2, 3)]
        )
        assert not frames.failed.any()
        bonds = np.linalg.norm(np.diff(frames.positions[:, -1], axis=1), axis=-1)
        margin(f"{name}: bond off", np.abs(bonds - 3.8).max(), below=1.0)


def test_the_loss_of_a_set_is_the_balance_of_its_proteins(make_two: Make) -> None:
    shares = {"frames": np.array([20, 10]) / 30, "equal": np.array([0.5, 0.5])}
    for balance, share in shares.items():
        job = make_two(balance, n_epochs=1, protein_balance=balance)
        train(job)
        (row,) = read_metrics(job)
        each = [float(row[f"val_loss_{n}"]) for n in ("chignolin", "trp_cage")]
        assert float(row["val_loss_weighted"]) == pytest.approx(share @ each)


def test_a_checkpoint_carries_all_that_its_proteins_need(make_two: Make) -> None:
    job = make_two("carries", n_epochs=1)
    train(job)
    path = job.out / "checkpoints" / "best.pt"
    content = read_checkpoint(path)
    assert set(content["proteins"]) == {"chignolin", "trp_cage"}
    assert "Angstrom" in content["units"]
    assert content["provenance"]["seed"] == 3
    assert content["provenance"]["training"]["batch_size"] == 16
    with pytest.raises(DataError, match="chignolin, trp_cage"):
        load_checkpoint(path)
    with pytest.raises(DataError, match="asked for villin"):
        load_checkpoint(path, "villin")


@pytest.mark.slow
def test_ranks_and_their_number_do_not_matter(
    make_two: Make, run_ranks: Callable[..., None]
) -> None:
    """Two ranks, and two after one was cut short, end as one does; noise and all."""
    noisy = {"noise_angstrom": 0.05, "sampling": "weighted", "mixed_batches": False}
    single, double, cut = (make_two(n, **noisy) for n in ("one", "two", "cut"))
    train(single)
    run_ranks(double, 2)
    run_ranks(cut, 1, WEFT_BLOCK_ENDS="0")
    assert cut.unfinished.exists()
    run_ranks(cut, 2)
    assert not cut.unfinished.exists()
    columns = ("train_loss", "val_loss_weighted", "val_loss_unweighted")
    expected = [[float(row[c]) for c in columns] for row in read_metrics(single)]
    one = read_checkpoint(single.out / "checkpoints" / "best.pt")["weights"]
    for job in (double, cut):
        found = [[float(row[c]) for c in columns] for row in read_metrics(job)]
        np.testing.assert_allclose(found, expected, rtol=1e-5)
        other = read_checkpoint(job.out / "checkpoints" / "best.pt")["weights"]
        for name, value in one.items():
            torch.testing.assert_close(other[name], value, rtol=1e-5, atol=1e-5)
