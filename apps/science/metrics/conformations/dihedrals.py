"""Distribution of the dihedrals of the bead chain, on a circle."""

from apps.science.arrays import Array
from apps.science.metrics.conformations._geometry import measure_dihedrals
from apps.science.metrics.conformations.base import Beads
from apps.science.metrics.conformations.distribution import DistributionMetric


class Metric(DistributionMetric):
    """All dihedrals pooled; +180 and -180 degrees are one place."""

    label = "dihedral"
    unit = "deg"
    period = 360.0

    def undefined(self, beads: Beads) -> str | None:
        """Return why there is none, None if there is."""
        return None if len(beads.dihedrals) else "no four beads are bonded in a row"

    def observe(self, positions: Array, beads: Beads) -> Array:
        """Return (n_frames, n_dihedrals), degrees."""
        return measure_dihedrals(positions, beads.dihedrals)
