"""Minimal adaptive binning in float64, for weights that float32 would lose.

WESTPA appends each walker's weight to its progress coordinate and then rounds both
to float32: weights below 1e-38 become zero, and the bottleneck, which is found from
ratios of weights, falls on the wrong walker. Here nothing is rounded.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from westpa.core.binning import mab

from apps.science.arrays import Array
from apps.science.errors import ShapeMismatchError


class Float64MABBinMapper(mab.MABBinMapper):  # type: ignore[misc]
    """WESTPA's MABBinMapper without the rounding.

    A recycled walker is binned by its starting point alone. WESTPA bins one lone
    point as the leading one, so that walkers sent back to the start would be merged
    with those closest to the target; here it falls where the iteration's linear
    bins, remembered from its end points, have it.
    """

    def __init__(
        self,
        nbins: Sequence[int],
        direction: Sequence[int] | None = None,
        skip: Sequence[int] | None = None,
        bottleneck: bool = True,
    ) -> None:
        n_dim = len(nbins)
        super().__init__(
            list(nbins), list(direction or [0] * n_dim), list(skip or [0] * n_dim),
            bottleneck,
        )  # fmt: skip
        self._n_dim = n_dim
        self._span: tuple[Array, Array] | None = None

    def __getstate__(self) -> dict[str, Any]:
        """Pickle without the span: WESTPA stores one mapper per different pickle."""
        return self.__dict__ | {"_span": None}

    def assign(self, coords: Any, mask: Any = None, output: Any = None) -> Any:
        """Return the bin of each row, (n,) uint16.

        Parameters
        ----------
        coords : (n, n_dim) points, or (n, n_dim + 2) with weight and 1 for end
            points, 0 for starting points, as WESTPA's MAB driver sends them
        mask : (n,) bool; rows that are False keep their ``output``
        """
        rows = np.asarray(coords, dtype=np.float64)
        if rows.ndim != 2 or rows.shape[1] < self._n_dim:
            raise ShapeMismatchError(
                f"Got progress coordinates of shape {rows.shape}; these bins divide "
                f"{self._n_dim} dimensions. Make the two agree."
            )
        kept = np.ones(len(rows), bool) if mask is None else np.asarray(mask, bool)
        if output is None:
            output = np.zeros(len(rows), dtype=np.uint16)
        if not kept.any():
            return output
        if rows.shape[1] > self._n_dim:
            self._remember(rows, kept)
        elif self._span is not None:
            none = [None] * self._n_dim
            mab.bin_assignment(
                rows, kept, *self._span, none, none, self.kwargs["nbins_per_dim"],
                self.kwargs["direction"], self.kwargs["skip"], False,
                self.kwargs["bottleneck"], output,
            )  # fmt: skip
            return output
        return mab.map_mab(rows, kept, output, **self.kwargs)

    def _remember(self, rows: Array, kept: np.ndarray) -> None:
        ends = kept & (rows[:, -1] != 0) if rows.shape[1] > self._n_dim + 1 else kept
        if ends.any():
            points = rows[ends, : self._n_dim]
            self._span = points.min(axis=0), points.max(axis=0)
