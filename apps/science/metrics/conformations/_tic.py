"""One TICA component as a distribution."""

from typing import ClassVar

import numpy as np

from apps.science.arrays import Array
from apps.science.metrics.conformations.base import Beads, ProjectsFrames
from apps.science.metrics.conformations.distribution import (
    N_FRAMES_PER_BATCH,
    DistributionMetric,
)


def require_components(beads: Beads, n_needed: int) -> str | None:
    """Return why ``n_needed`` components are not to be had, None if they are."""
    if beads.tica is None:
        return "no TICA model is given"
    if beads.tica.n_dim < n_needed:
        return f"the TICA model has {beads.tica.n_dim} components, {n_needed} needed"
    return None


class TicMetric(DistributionMetric):
    """The distribution along component ``component``."""

    unit = ""
    component: ClassVar[int]

    def undefined(self, beads: Beads) -> str | None:
        """Return why the component does not exist, None if it does."""
        return require_components(beads, self.component + 1)

    def observe(self, positions: Array, beads: Beads) -> Array:
        """Return (n_frames, 1)."""
        return project(positions, beads)[:, self.component : self.component + 1]


def project_all(positions: Array, beads: Beads) -> Array:
    """Return at most two components of all frames, (n_frames, 1 or 2)."""
    return np.concatenate(
        [
            project(positions[i : i + N_FRAMES_PER_BATCH], beads)[:, :2]
            for i in range(0, len(positions), N_FRAMES_PER_BATCH)
        ]
    )


def project(positions: Array, beads: Beads) -> Array:
    """Return all components (n_frames, n_dim)."""
    tica: ProjectsFrames | None = beads.tica
    if tica is None:
        raise TypeError("project needs a TICA model; ask undefined() first.")
    return tica.project(positions)
