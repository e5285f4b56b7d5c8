"""Make WESTPA's resampling repeatable.

WESTPA keeps walkers in sets, whose order follows object identity, and breaks ties
of equal weight by that order. Segments that hash to a counter put every set in an
order that depends on the run alone.
"""

import itertools
from collections.abc import Iterable
from typing import Any

import westpa.core.we_driver
from westpa.core.segment import Segment

_FIRST_NEW = 1 << 40
"""Orders of new walkers start here, beyond every seg_id."""

_new_orders = itertools.count(_FIRST_NEW)


class OrderedSegment(Segment):  # type: ignore[misc]
    """A segment whose place in a set is decided by its order of creation."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.order = next(_new_orders)

    def __hash__(self) -> int:
        return self.order

    def __eq__(self, other: object) -> bool:
        return self is other


def order_by_seg_id(segments: Iterable[Segment]) -> dict[int, Segment]:
    """Return the segments keyed and ordered by seg_id, hashing to it."""
    ordered = {}
    for segment in sorted(segments, key=lambda s: s.seg_id):
        segment.__class__ = OrderedSegment
        segment.order = segment.seg_id
        ordered[segment.seg_id] = segment
    return ordered


def restart_order() -> None:
    """Begin counting new walkers anew, as every resampling must."""
    global _new_orders  # noqa: PLW0603 - one WE run per process, as in WESTPA
    _new_orders = itertools.count(_FIRST_NEW)


def install() -> None:
    """Let WESTPA's drivers make ordered segments."""
    westpa.core.we_driver.Segment = OrderedSegment
