"""Two trained and benchmarked models of the hairpin."""

from pathlib import Path

import h5py
import numpy as np

from apps.science.benchmark.judge import compare_sets
from apps.science.metrics.conformations.base import Beads
from apps.science.pcoords.tica import TicaModel, read_tica
from apps.science.segments.frames import WeightedFrames, read_frames
from apps.science.segments.store import create_store

from .ensemble import write_ensemble
from .hairpin import N_BEADS


def write_models(root: Path, tica: TicaModel) -> None:
    """Write training, ensemble and scores of both models."""
    write_training(root)
    for model, tilt, noise in (("weighted", 0.2, 1.1), ("unweighted", -0.6, 1.5)):
        frames = write_ensemble(root / "benchmark" / model, tica, 25, tilt, noise, 17)
        frames.write(root / "benchmark" / model / "frames.h5")
        write_segments(root / "benchmark" / model / "segments.h5", frames)
    write_metrics(root)


def write_training(root: Path) -> None:
    """Write the losses of both models over 30 epochs."""
    rng = np.random.default_rng(5)
    for model, level in (("weighted", 0.9), ("unweighted", 1.0)):
        folder = root / "models" / model
        folder.mkdir(parents=True, exist_ok=True)
        rows = ["epoch,train_loss,val_loss_weighted,val_loss_unweighted,lr,seconds"]
        for epoch in range(1, 31):
            base = 20 + 25 * level * np.exp(-epoch / 6)
            noise = rng.normal(size=3) * 0.3
            losses = base + noise + np.array([0.0, 1.5, 2.5 / level])
            rows.append(f"{epoch}," + ",".join(f"{v:.5f}" for v in losses) + ",1e-3,4")
        (folder / "metrics.csv").write_text("\n".join(rows) + "\n")


def write_metrics(root: Path) -> None:
    """Judge both models with the metrics that a benchmark uses."""
    chain = [np.arange(N_BEADS - k)[:, None] + np.arange(k + 1) for k in (1, 2, 3)]
    tica = read_tica(root / "reference" / "tica.npz")
    beads = Beads(N_BEADS, *chain, tica)
    reference = read_frames(root / "reference" / "frames.h5")
    for model in ("weighted", "unweighted"):
        folder = root / "benchmark" / model
        frames = read_frames(folder / "frames.h5")
        compare_sets(
            reference, frames, frames, beads, folder / "metrics.json",
            folder / "densities.npz", 60, 1,
        )  # fmt: skip


def write_segments(path: Path, frames: WeightedFrames) -> None:
    """Write the frames as an ingested run; every walker descends from its like."""
    create_store(path, N_BEADS)
    n_iter, seg_id = np.divmod(frames.trajectory, 1000)
    columns = {
        "positions": frames.positions,
        "weight": frames.weight,
        "n_iter": n_iter,
        "seg_id": seg_id,
        "parent": seg_id,
        "frame": np.rint((frames.time_ps - (n_iter - 1) * 4.0) / 0.8) - 1,
    }
    with h5py.File(path, "a") as h5:
        for name, values in columns.items():
            h5[name].resize(len(frames), axis=0)
            h5[name][:] = values
