"""What kind of failure ended a block of segments, and how often each may happen."""

from enum import StrEnum

from pydantic import Field

from apps.science.config_base import StrictConfig
from apps.science.disk import is_disk_full
from apps.science.errors import (
    BlockTooLongError,
    ConfigError,
    DataError,
    NumericalError,
    StoppedError,
)


class FailureKind(StrEnum):
    """Why a block failed."""

    LOST = "worker lost"
    OUT_OF_MEMORY = "out of memory"
    OUT_OF_TIME = "batch job ends"
    NUMERICAL = "numerical"
    BAD_INPUT = "bad input"
    DISK_FULL = "disk full"
    OTHER = "error"
    STOPPED = "stopped"


_BY_CLASS = {
    FailureKind.NUMERICAL: (NumericalError,),
    FailureKind.STOPPED: (StoppedError,),
    FailureKind.OUT_OF_TIME: (BlockTooLongError,),
    FailureKind.BAD_INPUT: (ConfigError, DataError),
}

LOST_NAMES = {"ManagerLost", "WorkerLost", "BrokenProcessPool"}
"""By name: the science layer does not import Parsl."""

OUT_OF_MEMORY_WORDS = (
    "out of memory", "cuda_error_out_of_memory", "cannot allocate memory",
    "failed to allocate", "bad allocation", "std::bad_alloc",
)  # fmt: skip

MOST_BATCH_JOBS = 1000
"""Nothing is lost with a block that waits for the next batch job."""


class FailureBudgets(StrictConfig):
    """How often one block may fail, by kind; bad input is never tried again."""

    lost: int = Field(
        5,
        ge=0,
        le=1000,
        description="Losses of its worker or node beyond the site's retries.",
    )
    out_of_memory: int = Field(
        4,
        ge=0,
        le=1000,
        description="Times a block is halved after running out of memory.",
    )
    numerical: int = Field(
        1,
        ge=0,
        le=1000,
        description="Times a segment with NaN or runaway energy is reseeded.",
    )
    other: int = Field(
        1, ge=0, le=1000, description="Times any other error is tried again."
    )

    def allowed(self, kind: FailureKind) -> int:
        """Return how often a block may be sent again after failures of ``kind``."""
        return {
            FailureKind.LOST: self.lost,
            FailureKind.OUT_OF_MEMORY: self.out_of_memory,
            FailureKind.OUT_OF_TIME: MOST_BATCH_JOBS,
            FailureKind.NUMERICAL: 0,  # the worker has reseeded and rerun it
            FailureKind.BAD_INPUT: 0,
            FailureKind.DISK_FULL: 0,
            FailureKind.OTHER: self.other,
            FailureKind.STOPPED: 0,
        }[kind]


def classify_failure(error: BaseException) -> FailureKind:
    """Return the kind of failure that ``error`` reports."""
    if is_disk_full(error):
        return FailureKind.DISK_FULL
    for kind, classes in _BY_CLASS.items():
        if isinstance(error, classes):
            return kind
    if LOST_NAMES & {cls.__name__ for cls in type(error).__mro__}:
        return FailureKind.LOST
    said = str(error).lower()
    if isinstance(error, MemoryError) or any(w in said for w in OUT_OF_MEMORY_WORDS):
        return FailureKind.OUT_OF_MEMORY
    return FailureKind.OTHER
