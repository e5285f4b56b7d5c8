"""Distribution of the bond angles of the bead chain."""

from apps.science.arrays import Array
from apps.science.metrics.conformations._geometry import measure_angles
from apps.science.metrics.conformations.base import Beads
from apps.science.metrics.conformations.distribution import DistributionMetric


class Metric(DistributionMetric):
    """All angles pooled."""

    label = "bond angle"
    unit = "deg"

    def undefined(self, beads: Beads) -> str | None:
        """Return why there is none, None if there is."""
        return None if len(beads.angles) else "no three beads are bonded in a row"

    def observe(self, positions: Array, beads: Beads) -> Array:
        """Return (n_frames, n_angles), degrees."""
        return measure_angles(positions, beads.angles)
