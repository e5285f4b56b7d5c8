"""What the page says is far from converged."""

from pathlib import Path

import numpy as np

from apps.science.segments.frames import WeightedFrames
from campaign.layout.protein_dir import ProteinDir
from campaign.report.parts.judged.convergence import (
    doubt_times,
    doubt_training,
    find_doubts,
    longest_walk,
)
from campaign.report.parts.learnt_source import LearntSource


def test_a_long_reference_and_long_runs_raise_no_doubt(
    finished: tuple[Path, str],
) -> None:
    source = LearntSource(ProteinDir(finished[0]))
    assert doubt_times(source) == []  # 300 ps and 100 ps against 10 ps


def test_a_run_shorter_than_its_slowest_process_is_named(
    finished: tuple[Path, str],
) -> None:
    source = LearntSource(ProteinDir(finished[0]))
    frames = source.reference_frames()
    assert frames is not None
    short = frames.time_ps < 9.0
    cut = WeightedFrames(
        *(getattr(frames, k)[short]
          for k in ("positions", "weight", "lineage", "trajectory", "time_ps"))
    )  # fmt: skip
    source._frames[source.paths.reference_frames] = cut
    source._frames[source.paths.benchmark("weighted") / "frames.h5"] = cut
    reference, models = doubt_times(source)
    assert "longest walk is 8.8 ps" in reference
    assert "The weighted model ran for 8.8 ps" in models


def test_training_that_still_falls_is_named(finished: tuple[Path, str]) -> None:
    source = LearntSource(ProteinDir(finished[0]))
    epochs = np.arange(1.0, 41.0)
    falling = {"epoch": epochs, "val_loss_weighted": 1 / epochs}
    settled = {"epoch": epochs, "val_loss_unweighted": (epochs - 20) ** 2}
    source.training = lambda m: falling if m == "weighted" else settled  # type: ignore
    assert len(doubt_training(source)) == 1
    assert "Training of the weighted model was stopped" in doubt_training(source)[0]


def test_an_empty_run_has_nothing_to_doubt(tmp_path: Path) -> None:
    assert find_doubts(LearntSource(ProteinDir(tmp_path))) == []


def test_the_longest_walk_is_of_one_trajectory() -> None:
    time = np.array([0.0, 5.0, 0.0, 8.0])
    frames = WeightedFrames(
        np.zeros((4, 2, 3)), np.ones(4), np.zeros(4), np.array([0, 0, 1, 1]), time
    )
    assert longest_walk(frames) == 8.0
