"""Distribution of the fraction of native contacts, and its course over time."""

import numpy as np

from apps.science.arrays import Array, IntArray
from apps.science.metrics.conformations._geometry import far_pairs, measure_distances
from apps.science.metrics.conformations.base import Beads, Comparison, Result
from apps.science.metrics.conformations.contacts import CONTACT_ANGSTROM
from apps.science.metrics.conformations.distribution import DistributionMetric
from apps.science.metrics.conformations.stability import follow_time

SHARPNESS = 5.0
"""Per Angstrom (Best, Hummer and Eaton, 2013)."""

TOLERANCE = 1.2
"""A contact is half lost at this multiple of its native length, as usual for C-alpha
models; 1.8 is for heavy atoms."""


class Metric(DistributionMetric):
    """Q = mean over native pairs of 1 / (1 + exp(5 (r - 1.2 r0))).

    Native pairs are at least three beads apart and within 10 Angstrom in the native
    structure.
    """

    label = "fraction of native contacts"
    unit = ""

    def undefined(self, beads: Beads) -> str | None:
        """Return why there is none, None if there is."""
        if beads.native is None:
            return "no native structure is given"
        if not len(native_pairs(beads.native)):
            return "the native structure has no contacts"
        return None

    def observe(self, positions: Array, beads: Beads) -> Array:
        """Return (n_frames, 1), 0 to 1."""
        if beads.native is None:
            raise TypeError("observe needs a native structure; ask undefined() first.")
        return measure_contacts(positions, beads.native)[:, None]

    def compare(self, comparison: Comparison) -> Result:
        """Compare the distributions and follow the model's mean from time zero."""
        found = super().compare(comparison)
        course = comparison.model_course
        values = np.full(len(course.positions), np.nan)
        rows = np.flatnonzero(np.isfinite(course.positions).all(axis=(1, 2)))
        values[rows] = self.observe(course.positions[rows], comparison.beads)[:, 0]
        time_ps, mean = follow_time(course, values)
        found.arrays.update({"time_ps": time_ps, "course": mean})
        return found


def native_pairs(native: Array) -> IntArray:
    """Return the pairs in contact in ``native`` (n_beads, 3), (n_pairs, 2)."""
    pairs = far_pairs(len(native))
    apart = measure_distances(native[None], pairs)[0]
    return np.asarray(pairs[apart < CONTACT_ANGSTROM])


def measure_contacts(positions: Array, native: Array) -> Array:
    """Return the fraction of native contacts, (n_frames,)."""
    from scipy.special import expit

    pairs = native_pairs(native)
    length = measure_distances(native[None], pairs)
    stretch = measure_distances(positions, pairs) - TOLERANCE * length
    return np.asarray(expit(-SHARPNESS * stretch).mean(axis=1))
