"""Trainings that are told to leave in their midst, and what they left behind."""

import csv
import os
import signal

import numpy as np
import pytest

from apps.science.learning import loop
from apps.science.tasks.force_matching.config import TrainingJob
from apps.science.tasks.force_matching.evaluate import COLUMNS


def read_losses(job: TrainingJob) -> np.ndarray:
    """Return the losses of each epoch as metrics.csv has them, (n_epochs, 3)."""
    with (job.out / "metrics.csv").open() as table:
        rows = list(csv.DictReader(table))
    losses = ("train_loss", *COLUMNS)
    return np.array([[float(r[c]) for c in losses] for r in rows])


def stop_after(monkeypatch: pytest.MonkeyPatch, n_steps: int) -> None:
    """Send this process SIGTERM after so many steps that are not taken back."""
    taken = 0
    plain = loop.Training._between_steps

    def count(self: loop.Training) -> None:
        nonlocal taken
        taken += 1
        if taken == n_steps:
            os.kill(os.getpid(), signal.SIGTERM)
        plain(self)

    monkeypatch.setattr(loop.Training, "_between_steps", count)
