"""Weighted sets of bead frames: what a benchmark compares, as one HDF5 file."""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from apps.science.arrays import Array, IntArray
from apps.science.errors import ShapeMismatchError, WeightError
from apps.science.hdf5 import atomic_hdf5, open_checked

SCHEMA = "weft-frames-1"
_PER_FRAME = ("weight", "lineage", "trajectory", "time_ps", "continues")


@dataclass(frozen=True)
class WeightedFrames:
    """Bead positions with weights and where they come from.

    Attributes
    ----------
    positions : (n_frames, n_beads, 3), Angstrom, float32
    weight : (n_frames,), float64, not negative; any overall scale
    lineage : (n_frames,), int64; frames of one lineage are resampled together
    trajectory : (n_frames,), int64; frames of one trajectory follow each other
    time_ps : (n_frames,), float64; time since the start of the simulation
    continues : (n_frames,), int64; the trajectory that this one branched from, -1 where
        it began by itself. In a weighted ensemble each segment is a trajectory and
        continues its parent.
    """

    positions: Array
    weight: Array
    lineage: IntArray
    trajectory: IntArray
    time_ps: Array
    continues: IntArray = field(default_factory=lambda: np.empty(0, dtype=np.int64))

    def __post_init__(self) -> None:
        n = len(self.positions)
        if not len(self.continues):  # not given: none continues another
            object.__setattr__(self, "continues", np.full(n, -1, dtype=np.int64))
        for name in _PER_FRAME:
            if len(getattr(self, name)) != n:
                raise ShapeMismatchError(
                    f"{n} frames but {len(getattr(self, name))} values of {name}. "
                    "Every frame needs one; rebuild the set from its source."
                )
        if n and (not np.isfinite(self.weight).all() or self.weight.min() < 0):
            raise WeightError(
                "Frame weights must be finite and not negative; found "
                f"{np.nanmin(self.weight):g} to {np.nanmax(self.weight):g}."
            )

    def __len__(self) -> int:
        """Return the number of frames."""
        return len(self.positions)

    def write(self, path: Path) -> Path:
        """Write the set to ``path`` atomically."""
        with atomic_hdf5(path) as h5:
            h5.attrs["schema"] = SCHEMA
            for name in ("positions", *_PER_FRAME):
                h5.create_dataset(name, data=getattr(self, name))
        return path


def read_frames(path: Path) -> WeightedFrames:
    """Read a set written by ``WeightedFrames.write``."""
    with open_checked(path, SCHEMA, "Make it again from its source.") as h5:
        return WeightedFrames(
            **{
                name: h5[name][:]
                for name in ("positions", *_PER_FRAME)
                if name in h5  # older files do not have ``continues``
            }
        )
