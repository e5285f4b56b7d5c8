"""Functions of one distance as cubic B-splines on evenly spaced knots.

A filter network is then evaluated once per knot and not once per pair of beads, and
a B-spline of its values has two continuous derivatives (de Boor 1978).
"""

from dataclasses import dataclass

import torch
from torch import Tensor

N_TAPS = 4


@dataclass(frozen=True)
class Taps:
    """Which spline coefficients each pair reads, and how much of each.

    Attributes
    ----------
    rows : (n_pairs, 4), rows of a table of coefficients
    value, slope : (n_pairs, 4), weights that give the function and its derivative
    """

    rows: Tensor
    value: Tensor
    slope: Tensor

    def mix(self, table: Tensor, pairs: slice) -> Tensor:
        """Return the functions (n, C) of some pairs, from coefficients (n_rows, C)."""
        return _bag(table, self.rows[pairs], self.value[pairs])

    def mix_slopes(self, table: Tensor, pairs: slice) -> Tensor:
        """Return the derivatives (n, C) of some pairs, per Angstrom."""
        return _bag(table, self.rows[pairs], self.slope[pairs])

    def spread(
        self,
        out: Tensor,
        pairs: slice,
        values: Tensor | None,
        slopes: Tensor | None = None,
    ) -> None:
        """Add to ``out`` (n_rows, C) what makes these functions of some pairs.

        The transpose of ``mix`` on ``values`` and of ``mix_slopes`` on ``slopes``.
        """
        rows = self.rows[pairs].flatten()
        each = None
        if values is not None:
            each = self.value[pairs].unsqueeze(-1) * values.unsqueeze(1)
        if slopes is not None:
            weights = self.slope[pairs].unsqueeze(-1)
            if each is None:
                each = weights * slopes.unsqueeze(1)
            else:
                each.addcmul_(weights, slopes.unsqueeze(1))
        if each is not None:
            out.index_add_(0, rows, each.flatten(0, 1))


def _bag(table: Tensor, rows: Tensor, weights: Tensor) -> Tensor:
    return torch.nn.functional.embedding_bag(
        rows, table, per_sample_weights=weights, mode="sum"
    )


class Knots(torch.nn.Module):
    """Evenly spaced knots from zero to a cutoff, beyond which splines vanish."""

    def __init__(self, cutoff: float, spacing: float) -> None:
        super().__init__()
        self._n_intervals = max(4, round(cutoff / spacing))
        self.spacing = cutoff / self._n_intervals
        # One knot before zero; the last four coefficients are zero.
        self.n_rows = self._n_intervals + 4

    def places(self, rows: Tensor) -> Tensor:
        """Return the distances that coefficients of these rows stand for, Angstrom."""
        return (rows % self.n_rows - 1) * self.spacing

    @property
    def last_place(self) -> float:
        """Where coefficients have to be zero, so that splines are at the cutoff."""
        return (self._n_intervals - 1) * self.spacing

    def find_taps(self, lengths: Tensor, kind: Tensor) -> Taps:
        """Return the taps of pairs.

        Parameters
        ----------
        lengths : (n_pairs,), Angstrom
        kind : (n_pairs,), which of several functions, each with a table of its own
        """
        x = (lengths / self.spacing).clamp_max(self._n_intervals)
        interval = x.floor()
        value, slope = weigh_taps(x - interval)
        first = interval.long() + self.n_rows * kind
        rows = first.unsqueeze(-1) + torch.arange(N_TAPS, device=lengths.device)
        return Taps(rows, value, slope / self.spacing)


def weigh_taps(u: Tensor) -> tuple[Tensor, Tensor]:
    """Return the cubic B-splines over an interval and their slopes, (n_pairs, 4).

    Parameters
    ----------
    u : (n_pairs,), from 0 to 1 along the interval
    """
    v = 1.0 - u
    uu, vv = u * u, v * v
    value = [
        vv * v / 6.0,
        2.0 / 3.0 - uu + 0.5 * uu * u,
        2.0 / 3.0 - vv + 0.5 * vv * v,
        uu * u / 6.0,
    ]
    slope = [-0.5 * vv, 1.5 * uu - 2.0 * u, 2.0 * v - 1.5 * vv, 0.5 * uu]
    return torch.stack(value, dim=-1), torch.stack(slope, dim=-1)
