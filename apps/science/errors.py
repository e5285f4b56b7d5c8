"""Errors that people see: one string each, saying found, expected, what to do.

Parsl unpickles exceptions on the driver; a constructor that needs more than one
argument hangs the executor, so every class here takes exactly one string.
"""

from typing import ClassVar


class WeftError(Exception):
    """Base of every error that weft raises on purpose.

    The same input would give it again, so a task that raised it is not retried.
    """

    worth_retrying: ClassVar[bool] = False


class ConfigError(WeftError):
    """A campaign, site or plug-in was asked for something that cannot be."""


class UnknownKindError(ConfigError):
    """A plug-in kind does not exist."""


class PluginError(ConfigError):
    """A plug-in from outside weft cannot be used."""


class StructureError(WeftError):
    """A structure cannot be turned into a simulation system."""


class DataError(WeftError):
    """A data file is missing, altered, empty or of another schema."""


class ShapeMismatchError(DataError):
    """Two arrays that must describe the same system do not."""


class WeightError(DataError):
    """Weights do not sum to one, are negative, or do not match their frames."""


class NumericalError(WeftError):
    """Dynamics or training produced NaN or ran away."""


class StageError(WeftError):
    """A stage of a campaign failed."""


class StoppedError(WeftError):
    """Somebody asked the run to stop; nothing is wrong."""


class RunEndedError(WeftError):
    """A run could not go on, and nothing of it is lost."""


class BlockEndsError(WeftError):
    """The batch job ends too soon for what was to begin; another can take it.

    What was done before is kept, so trying again costs nothing.
    """

    worth_retrying: ClassVar[bool] = True
    costs_nothing: ClassVar[bool] = True


class LeftUnfinishedError(WeftError):
    """Work left a checkpoint to go on from; trying again continues it."""

    worth_retrying: ClassVar[bool] = True
    costs_nothing: ClassVar[bool] = True


class KilledError(WeftError):
    """Work was ended from outside, as by the system where memory is short.

    It counts as a lost worker does.
    """

    worth_retrying: ClassVar[bool] = True
    counts_as_lost: ClassVar[bool] = True


class CommandError(WeftError):
    """A command failed; whether it would again, nobody knows."""

    worth_retrying: ClassVar[bool] = True


class BlockTooLongError(WeftError):
    """The batch job ends too soon for all of a task; its parts may still fit."""


class RunLockedError(WeftError):
    """Another driver works on the same run folder."""


class DiskFullError(WeftError):
    """No room is left, or no quota; with room again the run goes on."""


def list_causes(error: BaseException | None) -> list[BaseException]:
    """Return an error and what it came from, each once: such chains can be circles."""
    found: list[BaseException] = []
    while error is not None and not any(error is one for one in found):
        found.append(error)
        error = error.__cause__ or error.__context__
    return found
