"""Judge one model's WE run against the reference."""

from pathlib import Path
from typing import Any

from parsl import python_app

from apps.roles import ANALYSIS
from apps.task_log import logged


@python_app(executors=[ANALYSIS])
@logged(ANALYSIS)
def write_reference_starts(
    frames: Path, mapping: Path, n_starts: int, temperature_kelvin: float, seed: int,
    out: Path, stage: str = "benchmark", inputs: tuple[Any, ...] = (),
) -> Path:  # fmt: skip
    """Draw the reference frames at which coarse-grained walkers begin."""
    from apps.science.cg.simulation import starts

    return starts.write_reference_starts(
        frames, mapping, n_starts, temperature_kelvin, seed, out
    )


@python_app(executors=[ANALYSIS])
@logged(ANALYSIS)
def compare_with_reference(
    reference: Path, folder: Path, mapping: Path, tica: Path, native: Path | None,
    segment_length_fs: float, frame_interval_fs: float, burn_in_fraction: float,
    n_bootstrap: int, seed: int,
    stage: str = "benchmark", inputs: tuple[Any, ...] = (),
) -> Path:  # fmt: skip
    """Compute every metric of one model's WE run, with intervals, against the data."""
    from apps.science.benchmark.judge import run_benchmark
    from apps.science.benchmark.model_run import (
        model_frames,
        read_passage,
        read_temperature,
    )
    from apps.science.pcoords.tica import read_tica
    from apps.science.units import FS_PER_PS

    segments = folder / "segments.h5"
    tau_ps, interval_ps = segment_length_fs / FS_PER_PS, frame_interval_fs / FS_PER_PS
    kept = model_frames(segments, tau_ps, interval_ps, burn_in_fraction)
    course = model_frames(segments, tau_ps, interval_ps, 0.0)
    return run_benchmark(
        reference, kept.write(folder / "frames.h5"), mapping, tica,
        folder / "metrics.json", folder / "densities.npz",
        n_bootstrap=n_bootstrap, seed=seed, native=native,
        model_course=course.write(folder / "course.h5"),
        temperature_kelvin=read_temperature(folder),
        passage=read_passage(folder, read_tica(tica), tau_ps, burn_in_fraction),
    )  # fmt: skip
