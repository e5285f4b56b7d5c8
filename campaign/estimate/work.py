"""What a campaign will do, counted from its settings alone: a type lists its stages."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any, Final

MINUTES: Final = "minutes"
"""The unit of a stage that takes the time it is given."""


@dataclass(frozen=True)
class Work:
    """What one stage does, at most.

    Attributes
    ----------
    stage, role : its name, and the role of its tasks
    amount : in ``unit``; the time of a stage is in proportion to it
    unit : such as "ps", "segments", "frames"
    n_tasks : tasks; None where the site decides how work is cut
    side_by_side : how much of ``amount`` may run at the same time, in tasks
    simulated_ns, n_frames, n_bytes : simulated time, frames and bytes that are kept
    n_particles : of the engine that steps; 0 where none does
    limit_s : the time that it is given; 0 where its amount alone decides
    kind : of the stage, as it is declared
    """

    stage: str
    role: str
    amount: float
    unit: str
    n_tasks: int | None
    side_by_side: int
    simulated_ns: float = 0.0
    n_frames: int = 0
    n_bytes: int = 0
    n_particles: int = 0
    limit_s: float = 0.0
    kind: str = ""


def as_json(works: Sequence[Work]) -> list[dict[str, Any]]:
    """Return the stages as plain values."""
    return [asdict(work) for work in works]


def from_json(found: Any) -> list[Work]:
    """Return the stages of what ``as_json`` gave; none where it is not understood."""
    known = {f.name for f in fields(Work)}
    try:
        return [Work(**{k: v for k, v in one.items() if k in known}) for one in found]
    except (AttributeError, TypeError):
        return []


def total_bytes(works: Sequence[Work]) -> int:
    """Return the bytes that all stages keep, at most."""
    return sum(work.n_bytes for work in works)
