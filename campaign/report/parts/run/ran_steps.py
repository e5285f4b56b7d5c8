"""Counts that change in steps over time, and their exact means."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from apps.science.arrays import Array


@dataclass(frozen=True)
class Steps:
    """How many there were over time; none before the first edge and after the last.

    Attributes
    ----------
    edges : (K + 1,), s, ascending
    values : (K,), between neighbouring edges
    """

    edges: Array
    values: Array

    @classmethod
    def of(cls, spans: Iterable[tuple[float, float, float]]) -> "Steps":
        """Return the sum of spans: begin, end, how many."""
        rows = np.array([s for s in spans if s[1] > s[0]], dtype=float).reshape(-1, 3)
        if not len(rows):
            return cls(np.zeros(1), np.zeros(0))
        begin, end, many = rows.T
        edges, place = np.unique(np.concatenate([begin, end]), return_inverse=True)
        change = np.bincount(place, np.concatenate([many, -many]), len(edges))
        return cls(edges, np.cumsum(change, dtype=float)[:-1])

    @cached_property
    def _totals(self) -> Array:
        return np.concatenate([[0.0], np.cumsum(self.values * np.diff(self.edges))])

    @property
    def total(self) -> float:
        """The whole of it, seconds."""
        return float(self._totals[-1])

    @property
    def most(self) -> float:
        """The most at any time."""
        return float(self.values.max(initial=0.0))

    def at(self, when: Array) -> Array:
        """Return how many there were at each time, (n,)."""
        padded = np.concatenate([[0.0], self.values, [0.0]])
        found: Array = padded[np.searchsorted(self.edges, when, "right")]
        return found

    def between(self, begin: float, end: float) -> float:
        """Return what lies between two times, seconds."""
        low, high = np.interp([begin, end], self.edges, self._totals)
        return float(high - low)

    def means(self, edges: Array) -> Array:
        """Return the mean between neighbouring ``edges``, (len(edges) - 1,)."""
        found: Array = np.diff(np.interp(edges, self.edges, self._totals))
        return found / np.diff(edges)


def add(steps: Iterable[Steps]) -> Steps:
    """Return the sum at every time."""
    return Steps.of(
        (float(a), float(b), float(v))
        for s in steps
        for a, b, v in zip(s.edges, s.edges[1:], s.values, strict=False)
    )
