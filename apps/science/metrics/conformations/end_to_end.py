"""Distribution of the distance between the chain's first and last bead."""

import numpy as np

from apps.science.arrays import Array
from apps.science.metrics.conformations._geometry import measure_distances
from apps.science.metrics.conformations.base import Beads
from apps.science.metrics.conformations.distribution import DistributionMetric


class Metric(DistributionMetric):
    """Distance of the two ends."""

    label = "end-to-end distance"
    unit = "Å"

    def undefined(self, beads: Beads) -> str | None:
        """Return why there is none, None if there is."""
        return None if beads.n_beads > 2 else "fewer than three beads are no chain"

    def observe(self, positions: Array, beads: Beads) -> Array:
        """Return (n_frames, 1), Angstrom."""
        return measure_distances(positions, np.array([[0, beads.n_beads - 1]]))
