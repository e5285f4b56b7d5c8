"""What a progress coordinate is: frames in, a few numbers per frame out.

A plug-in is one file in this folder with a ``Config`` (its ``kind`` is the file's
stem) and ``ProgressCoordinate(config)``.
"""

from dataclasses import dataclass
from typing import Any, ClassVar, Final, Protocol

from apps.science.arrays import Array
from apps.science.config_base import StrictConfig

RUN: Final = "run"
"""Stands in settings for the run's own file, whose place is not known yet."""


@dataclass(frozen=True)
class Recorded:
    """What frames will hold, as far as it is known before a system is built.

    Attributes
    ----------
    topology : of mdtraj, the heavy atoms of the solute
    n_atoms : of the solute, to a few in a hundred
    n_beads : those of the mapping
    """

    topology: Any
    n_atoms: int
    n_beads: int


class PcoordConfig(StrictConfig):
    """Base of every progress coordinate's settings."""

    run_files: ClassVar[frozenset[str]] = frozenset()
    """Fields that are a file of the run where nobody gives them: of mapping (beads),
    model (TICA), topology and reference (the protein)."""

    kind: str

    @property
    def n_coordinates(self) -> int:
        """Numbers per frame; bins must divide as many."""
        return 1

    @property
    def labels(self) -> list[str]:
        """What each number is called on an axis, with its unit."""
        return [f"{self.kind} {k}" for k in range(self.n_coordinates)]

    def check(self, recorded: Recorded) -> None:
        """Refuse a system that lacks what the coordinate looks at.

        Raises
        ------
        ConfigError
            If so. What cannot be known yet is left to the first block.
        """


class ProgressCoordinate(Protocol):
    """Maps recorded frames to progress coordinates."""

    n_dim: int

    def compute(self, positions: Array) -> Array:
        """Return (n_frames, n_dim) for positions (n_frames, n_recorded, 3), Angstrom.

        ``n_recorded`` are the atoms a propagator records: the solute's atoms for
        OpenMM, the beads for coarse-grained dynamics.
        """
        ...
