"""What a propagator is: restart states in, recorded frames and new states out.

A plug-in is one file in this folder with a ``Config`` (its ``kind`` is the file's
stem) and ``Propagator(config)``. Building one may be slow (a force field is read, a
context made); it is built once per worker process and kept warm. ``propagate`` is
called once per block of segments.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal, Protocol, Self

import numpy as np
from pydantic import Field, model_validator

from apps.science.arrays import Array
from apps.science.config_base import StrictConfig


class PropagatorConfig(StrictConfig):
    """Base of every propagator's settings."""

    blocks_per_worker: ClassVar[int] = 3
    """Blocks a worker gets per iteration: several level out segments of unlike cost,
    one wins where segments are short or gain from each other's company."""

    moves: ClassVar[Literal["atoms", "beads", "points"]] = "atoms"
    """What it moves: the atoms of a prepared system, the beads of a mapping, or points
    of its own. What is learnt on beads is sampled with atoms."""

    kind: str
    n_steps: int = Field(gt=0, description="Steps per segment (tau / timestep).")
    n_steps_per_frame: int = Field(gt=0, description="Steps between saved frames.")

    @model_validator(mode="after")
    def _segment_is_whole_frames(self) -> Self:
        if self.n_steps % self.n_steps_per_frame:
            raise ValueError(
                f"n_steps {self.n_steps} is no whole number of frames of "
                f"{self.n_steps_per_frame} steps. Change either."
            )
        return self

    @property
    def is_random(self) -> bool:
        """Whether copies of a walker part: without noise, splitting gains nothing."""
        return True

    @property
    def n_frames(self) -> int:
        """Frames saved per segment; the last one is the segment's end point."""
        return self.n_steps // self.n_steps_per_frame


@dataclass(frozen=True)
class States:
    """Restart points of a block of segments, in the propagator's own particles.

    Attributes
    ----------
    positions : (n_segments, n_particles, 3), Angstrom, float64
    velocities : (n_segments, n_particles, 3), Angstrom/ps, float64
    box : (n_segments, 3, 3), Angstrom, or None where not periodic
    """

    positions: Array
    velocities: Array
    box: Array | None = None

    def __len__(self) -> int:
        """Return the number of segments."""
        return len(self.positions)

    def take(self, rows: Sequence[int]) -> "States":
        """Return the chosen rows as new States."""
        index = np.asarray(rows, dtype=int)
        box = None if self.box is None else self.box[index]
        return States(self.positions[index], self.velocities[index], box)


@dataclass(frozen=True)
class Frames:
    """What a block of segments recorded.

    Attributes
    ----------
    positions : (n_segments, n_frames, n_recorded, 3), Angstrom, float32
    forces : same shape, kcal/mol/Angstrom, float32
    final : States after the last step
    failed : (n_segments,) bool; True where NaN or a runaway energy was seen
    """

    positions: Array
    forces: Array
    final: States
    failed: np.ndarray


class Propagator(Protocol):
    """Advances segments. One instance lives as long as its worker process."""

    def recorded(self, states: States) -> Array:
        """Return (n_segments, n_recorded, 3), Angstrom: the atoms frames hold."""
        ...

    def propagate(self, states: States, seeds: Sequence[int]) -> Frames:
        """Advance every segment by ``n_steps``.

        Segment ``i`` depends only on ``states`` row i and ``seeds[i]`` (63 bits,
        from ``seeds.derive_seed``): never on its place or company in the block.
        """
        ...
