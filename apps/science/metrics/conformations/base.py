"""What a metric of conformations is: two weighted sets of bead frames in, figures out.

A plug-in is one file in this folder with a class ``Metric``; the file's stem is its
name in metrics.json. Most metrics are the distribution of a few numbers per frame:
they subclass ``distribution.DistributionMetric`` and write ``observe``.
"""

from dataclasses import dataclass, field
from typing import Any, ClassVar, Final, Protocol

import numpy as np

from apps.science.arrays import Array, IntArray
from apps.science.resampling import Figure, Resampling, assign_blocks
from apps.science.segments.frames import WeightedFrames
from apps.science.statistics import effective_sample_size

PACKAGE: Final = "apps.science.metrics.conformations"


class ProjectsFrames(Protocol):
    """What metrics need of a TICA model."""

    @property
    def n_dim(self) -> int:
        """Number of components."""
        ...

    def project(self, positions: Array) -> Array:
        """Return (n_frames, n_dim) for bead positions (n_frames, n_beads, 3)."""
        ...


@dataclass(frozen=True)
class Beads:
    """What the numbers of a frame are computed with.

    Attributes
    ----------
    bonds, angles, dihedrals : (n, 2), (n, 3), (n, 4), bead indices along the chain
    tica : fitted on the reference; None where there is none
    native : (n_beads, 3), Angstrom; None where no native structure is given
    centres : (n, 4), a C-alpha and its N, C and C-beta, where all four are beads
    temperature_kelvin : of the reference; None where it is not known
    folded_angstrom : RMSD to native below which a frame is folded; None: by the size
        of the native structure
    """

    n_beads: int
    bonds: IntArray
    angles: IntArray
    dihedrals: IntArray
    tica: ProjectsFrames | None = None
    native: Array | None = None
    centres: IntArray = field(default_factory=lambda: np.empty((0, 4), dtype=int))
    temperature_kelvin: float | None = None
    folded_angstrom: float | None = None


@dataclass(frozen=True)
class Passage:
    """What a steady-state run of the model knows of its first passages.

    Attributes
    ----------
    flux : (n_iterations,), probability that arrived in each, after the burn-in
    tau_ps : resampling time
    regions : of each target, (low, high) per component of the plane of the TICs
    starts : (n_starts, n_dim) of the TICs, where walkers begin with equal probability
    """

    flux: Array
    tau_ps: float
    regions: tuple[tuple[tuple[float, float], ...], ...]
    starts: Array


@dataclass(frozen=True)
class WeightedSet:
    """One side of a comparison.

    Attributes
    ----------
    positions : (n_frames, n_beads, 3), Angstrom
    weight : (n_frames,), sum one
    block : (n_frames,), 0..n_blocks-1; what a bootstrap resamples
    time_ps : (n_frames,)
    ess : effective sample size of the weights
    trajectory, continues : (n_frames,), as in WeightedFrames; None where which frame
        follows which is not known
    """

    positions: Array
    weight: Array
    block: IntArray
    n_blocks: int
    time_ps: Array
    ess: float
    trajectory: IntArray | None = None
    continues: IntArray | None = None

    @classmethod
    def from_frames(cls, frames: WeightedFrames) -> "WeightedSet":
        """Normalise the weights and find the blocks; WeightError if all are zero."""
        ess = effective_sample_size(frames.weight)
        block = assign_blocks(frames.lineage, frames.time_ps)
        return cls(
            positions=frames.positions,
            weight=np.asarray(frames.weight / frames.weight.sum()),
            block=block,
            n_blocks=int(block.max()) + 1,
            time_ps=frames.time_ps,
            ess=ess,
            trajectory=frames.trajectory,
            continues=frames.continues,
        )


@dataclass(frozen=True)
class Comparison:
    """What a metric is given.

    ``reference`` and ``model`` hold finite frames only. ``model_course`` is the model
    from time zero with every frame, broken ones too, and ``course_plan`` resamples
    its blocks: for metrics that follow time. ``passage`` is there where the model's
    run had targets.
    """

    reference: WeightedSet
    model: WeightedSet
    plan: Resampling
    model_course: WeightedSet
    course_plan: Resampling
    beads: Beads
    seed: int = 0
    passage: Passage | None = None


@dataclass(frozen=True)
class Result:
    """What a metric found.

    ``figures`` carry intervals; ``details`` are plain JSON values; ``arrays`` go to
    densities.npz under the metric's name. ``undefined`` says why there is no figure,
    where only the data could tell.
    """

    figures: dict[str, Figure] = field(default_factory=dict)
    details: dict[str, Any] = field(default_factory=dict)
    arrays: dict[str, np.ndarray] = field(default_factory=dict)
    undefined: str | None = None


class Metric(Protocol):
    """One way of judging a model. It has no state; ``Metric()`` makes one."""

    label: ClassVar[str]
    unit: ClassVar[str]

    def undefined(self, beads: Beads) -> str | None:
        """Return why the metric has no meaning for these beads, None if it has."""
        ...

    def compare(self, comparison: Comparison) -> Result:
        """Compare model with reference; called only where the metric is defined."""
        ...
