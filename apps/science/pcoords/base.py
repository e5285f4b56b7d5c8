"""What a progress coordinate is: frames in, a few numbers per frame out.

A plug-in is one file in this folder with a ``Config`` (its ``kind`` is the file's
stem) and ``ProgressCoordinate(config)``.
"""

from typing import Protocol

from apps.science.arrays import Array
from apps.science.config_base import StrictConfig


class PcoordConfig(StrictConfig):
    """Base of every progress coordinate's settings."""

    kind: str


class ProgressCoordinate(Protocol):
    """Maps recorded frames to progress coordinates."""

    n_dim: int

    def compute(self, positions: Array) -> Array:
        """Return (n_frames, n_dim) for positions (n_frames, n_recorded, 3), Angstrom.

        ``n_recorded`` are the atoms a propagator records: the solute's atoms for
        OpenMM, the beads for coarse-grained dynamics.
        """
        ...
