"""Distribution of the RMSD to the native structure."""

from apps.science.arrays import Array
from apps.science.metrics.conformations._geometry import measure_rmsd
from apps.science.metrics.conformations.base import Beads
from apps.science.metrics.conformations.distribution import DistributionMetric


class Metric(DistributionMetric):
    """RMSD of the beads after superposition."""

    label = "RMSD to native"
    unit = "Å"

    def undefined(self, beads: Beads) -> str | None:
        """Return why there is none, None if there is."""
        if beads.native is None:
            return "no native structure is given"
        return None if beads.n_beads > 2 else "fewer than three beads"

    def observe(self, positions: Array, beads: Beads) -> Array:
        """Return (n_frames, 1), Angstrom."""
        if beads.native is None:
            raise TypeError("observe needs a native structure; ask undefined() first.")
        return measure_rmsd(positions, beads.native)[:, None]
