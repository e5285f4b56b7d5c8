"""The outermost bins of a run with target regions: outside, and one per target."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from westpa.core.binning.assign import BinMapper

Bounds = Sequence[Sequence[float]]
"""(low, high) per dimension; a point is inside where low <= x < high."""


class RegionBinMapper(BinMapper):  # type: ignore[misc]
    """Bin 0 is outside every region, bin i inside region i - 1, in float64."""

    def __init__(self, regions: Sequence[Bounds]) -> None:
        self.regions = [np.array(region, dtype=np.float64) for region in regions]
        self.nbins = len(regions) + 1
        self.labels = ["outside", *(f"region {region}" for region in regions)]

    def assign(self, coords: Any, mask: Any = None, output: Any = None) -> Any:
        """Return the bin of each row, (n,) uint16; further columns are ignored."""
        rows = np.asarray(coords, dtype=np.float64)
        kept = np.ones(len(rows), bool) if mask is None else np.asarray(mask, bool)
        if output is None:
            output = np.zeros(len(rows), dtype=np.uint16)
        found = np.zeros(len(rows), dtype=np.uint16)
        for i, region in enumerate(self.regions):
            x = rows[:, : len(region)]
            inside = ((x >= region[:, 0]) & (x < region[:, 1])).all(axis=1)
            found[inside & (found == 0)] = i + 1
        output[kept] = found[kept]
        return output
