"""A metric of one's own: how far from a ball the beads are spread."""

import numpy as np

from apps.science.metrics.conformations.base import Beads
from apps.science.metrics.conformations.distribution import DistributionMetric


class Metric(DistributionMetric):
    """Asphericity of the gyration tensor: 0 for a ball, its trace for a rod."""

    label = "asphericity"
    unit = "Å²"

    def undefined(self, beads: Beads) -> str | None:
        """Say why it means nothing for so few beads."""
        return None if beads.n_beads > 3 else "fewer than four beads span no body"

    def observe(self, positions: np.ndarray, beads: Beads) -> np.ndarray:
        """Return (n_frames, 1), Å²."""
        x = np.asarray(positions, dtype=float)
        x = x - x.mean(axis=1, keepdims=True)
        spread = np.linalg.eigvalsh(np.einsum("fbi,fbj->fij", x, x) / x.shape[1])
        return spread[:, 2:] - spread[:, :2].mean(axis=1, keepdims=True)
