"""Distribution of the radius of gyration."""

from apps.science.arrays import Array
from apps.science.metrics.conformations._geometry import measure_gyration
from apps.science.metrics.conformations.base import Beads
from apps.science.metrics.conformations.distribution import DistributionMetric


class Metric(DistributionMetric):
    """Radius of gyration, all beads of equal weight."""

    label = "radius of gyration"
    unit = "Å"

    def observe(self, positions: Array, beads: Beads) -> Array:
        """Return (n_frames, 1), Angstrom."""
        return measure_gyration(positions)[:, None]
