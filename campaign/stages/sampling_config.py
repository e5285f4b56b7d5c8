"""What a person writes of reference, sampling and judging by weighted ensemble."""

from typing import Any, Final

from pydantic import Field, SerializeAsAny, ValidationInfo, field_validator

from apps.science.config_base import DeviceName, PlatformName, StrictConfig
from apps.science.pcoords.base import PcoordConfig
from apps.science.segments.equilibrium import EquilibriumConfig
from apps.science.we.config import WEConfig
from campaign.stages.kind_choice import OPENMM, TICA, build_pcoord

LONGEST_PS: Final = 1e9
"""A millisecond; nobody has run more."""
LONGEST_SEGMENT_FS: Final = 1e9
"""A microsecond between resamplings."""
LEAST_PAIRS: Final = 10
MOST_FRAMES: Final = 10_000_000
"""Of a walk or a segment; a stage holds those of a walk in memory."""


def check_frames(n_frames: int, section: str, what: str) -> None:
    """Refuse more frames than fit into memory.

    Raises
    ------
    ValueError
        If so.
    """
    if n_frames > MOST_FRAMES:
        raise ValueError(
            f"{section} asks for {n_frames:,} frames of {what}; at most "
            f"{MOST_FRAMES:,} are possible. Save them farther apart."
        )


class ReferenceConfig(StrictConfig):
    """Plain MD that serves as ground truth and for the TICA model."""

    n_walks: int = Field(
        2, gt=0, le=10_000, description="Walks, from the starts in turn."
    )
    walk_length_ps: float = Field(
        gt=0, le=LONGEST_PS, description="Length of each walk."
    )
    frame_interval_ps: float = Field(
        1.0, gt=0, le=LONGEST_PS, description="Between saved frames."
    )
    lineage_block_ps: float = Field(
        20.0,
        gt=0,
        le=LONGEST_PS,
        description="Length of the blocks that are resampled for intervals.",
    )


class SampleConfig(WEConfig):
    """Weighted-ensemble sampling with all atoms."""

    segment_length_fs: float = Field(
        4000.0, gt=0, le=LONGEST_SEGMENT_FS, description="Resampling time tau."
    )
    frame_interval_fs: float = Field(
        400.0, gt=0, le=LONGEST_SEGMENT_FS, description="Between saved frames."
    )
    weight_cutoff: float = Field(
        0.0, ge=0, lt=1, description="Segments of smaller weight are not ingested."
    )
    equilibrium: EquilibriumConfig = Field(
        default_factory=EquilibriumConfig,
        description="Equilibrium weights beside the raw ones; not with targets.",
    )
    propagator: dict[str, Any] = Field(
        default_factory=lambda: dict(OPENMM),
        description="What moves the walkers: a kind (a file in "
        "apps/science/propagators/) with its settings; those that are not given "
        "follow from system and sample.",
    )
    pcoord: SerializeAsAny[PcoordConfig] = Field(
        default_factory=lambda: build_pcoord(TICA),
        description="What the bins divide: a kind (a file in apps/science/pcoords/) "
        "with its settings. A file called run is that of the run.",
    )
    platform: PlatformName = Field("auto", description="OpenMM platform, or auto.")
    exact_replay: bool = Field(
        True, description="Bitwise the same segment from the same seed."
    )

    @field_validator("pcoord", mode="before")
    @classmethod
    def _build_pcoord(cls, value: Any, info: ValidationInfo) -> Any:
        return value if isinstance(value, PcoordConfig) else build_pcoord(value, info)


class BenchmarkConfig(WEConfig):
    """The WE run of each trained model and its comparison with the reference."""

    timestep_fs: float = Field(4.0, gt=0, le=20, description="Step of CG dynamics.")
    friction_per_ps: float = Field(1.0, gt=0, le=1000, description="Langevin friction.")
    segment_length_fs: float = Field(
        4000.0, gt=0, le=LONGEST_SEGMENT_FS, description="Resampling time tau."
    )
    frame_interval_fs: float = Field(
        400.0, gt=0, le=LONGEST_SEGMENT_FS, description="Between saved frames."
    )
    n_starts: int = Field(
        8, gt=0, le=100_000, description="Reference frames walkers begin at."
    )
    burn_in_fraction: float = Field(
        0.25, ge=0, lt=1, description="Share of iterations left out at the start."
    )
    n_bootstrap: int = Field(
        200, gt=1, le=100_000, description="Bootstrap samples behind each interval."
    )
    device: DeviceName = Field("auto", description="cpu, cuda, or auto.")
