"""What the exit status of a command says, in words."""

import signal
from typing import Final

_SIGNALLED: Final = 128
"""A shell, and so weft, calls a command ended by signal n 128 + n."""

_SENT_FROM_OUTSIDE: Final = (signal.SIGKILL, signal.SIGTERM, signal.SIGHUP)


def plain_status(status: int) -> int:
    """Return what a shell would say of Python's ``returncode``."""
    return _SIGNALLED - status if status < 0 else status


def ended_from_outside(status: int) -> bool:
    """Tell whether a command was ended by others: by the system, or by a person."""
    return plain_status(status) - _SIGNALLED in _SENT_FROM_OUTSIDE


def say_status(status: int) -> str:
    """Return what became of a command: "was killed by the system (SIGKILL), ..."."""
    number = plain_status(status) - _SIGNALLED
    if number == signal.SIGKILL:
        return "was killed by the system (SIGKILL), often for want of memory"
    try:
        name = signal.Signals(number).name
    except ValueError:
        return f"ended with exit status {status}"
    if ended_from_outside(status):
        return f"was ended from outside ({name})"
    return f"crashed ({name})"
