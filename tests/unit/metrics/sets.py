"""Small weighted sets of bead frames that the metric tests share."""

from dataclasses import replace

import numpy as np

from apps.science.metrics.conformations.base import Beads, Comparison, WeightedSet
from apps.science.resampling import plan_resampling
from apps.science.segments.frames import WeightedFrames


def chain(n_beads, **changes) -> Beads:
    """Return beads bonded in a row."""
    rows = [
        np.stack([np.arange(max(0, n_beads - w + 1)) + k for k in range(w)], axis=1)
        for w in (2, 3, 4)
    ]
    return Beads(n_beads, *rows, **changes)


class FirstTwo:
    """A linear projection: x of beads 0 and 1 relative to bead 2."""

    n_dim = 2
    lag_ps = 1.0

    def project(self, positions):
        x = np.asarray(positions, dtype=float)
        return x[:, :2, 0] - x[:, 2:3, 0]


def make_frames(positions, weight=None, lineage=None, time_ps=None) -> WeightedFrames:
    n = len(positions)
    return WeightedFrames(
        positions=np.asarray(positions, dtype=np.float32),
        weight=np.ones(n) if weight is None else np.asarray(weight, dtype=float),
        lineage=np.arange(n) % 20 if lineage is None else np.asarray(lineage),
        trajectory=np.zeros(n, dtype=int),
        time_ps=np.arange(1.0, n + 1) if time_ps is None else np.asarray(time_ps),
    )


def compare(reference, model, beads, n_bootstrap=20) -> Comparison:
    """Return a comparison of two sets of frames."""
    finite = np.isfinite(model.positions).all(axis=(1, 2))
    kept = WeightedFrames(**{k: v[finite] for k, v in vars(model).items()})
    a, b, c = (WeightedSet.from_frames(f) for f in (reference, kept, model))
    return Comparison(
        a, b, plan_resampling(a.n_blocks, b.n_blocks, n_bootstrap, 1),
        c, plan_resampling(a.n_blocks, c.n_blocks, n_bootstrap, 1), beads,
    )  # fmt: skip


def random_chains(n_frames, n_beads, seed, stretch=1.0):
    """Return freely jointed chains (n_frames, n_beads, 3) with bonds near 3.8."""
    rng = np.random.default_rng(seed)
    steps = rng.normal(size=(n_frames, n_beads - 1, 3))
    steps *= 3.8 * stretch / np.linalg.norm(steps, axis=-1, keepdims=True)
    steps *= 1 + 0.02 * rng.normal(size=(n_frames, n_beads - 1, 1))
    return np.concatenate(
        [np.zeros((n_frames, 1, 3)), np.cumsum(steps, axis=1)], axis=1
    )


def with_passage(comparison, passage) -> Comparison:
    """Return the comparison with what a steady-state run of the model knows."""
    return replace(comparison, passage=passage)
