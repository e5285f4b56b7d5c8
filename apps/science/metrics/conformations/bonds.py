"""Distribution of the bond lengths of the bead chain."""

from apps.science.arrays import Array
from apps.science.metrics.conformations._geometry import measure_distances
from apps.science.metrics.conformations.base import Beads
from apps.science.metrics.conformations.distribution import DistributionMetric


class Metric(DistributionMetric):
    """All bonds pooled."""

    label = "bond length"
    unit = "Å"

    def undefined(self, beads: Beads) -> str | None:
        """Return why there is none, None if there is."""
        return None if len(beads.bonds) else "the beads have no bonds"

    def observe(self, positions: Array, beads: Beads) -> Array:
        """Return (n_frames, n_bonds), Angstrom."""
        return measure_distances(positions, beads.bonds)
