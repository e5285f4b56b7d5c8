"""Whether a training is to leave: SIGTERM, a run asked to stop, a job near its end."""

import math
import signal
import time
from types import FrameType
from typing import Final

from apps.science.stopping import must_end

_LOOK_SECONDS: Final = 1.0


class StopSignal:
    """Notes SIGTERM for as long as it is entered, and looks for other reasons."""

    def __init__(self) -> None:
        self._signalled = False
        self._looked = -math.inf
        self._previous: signal._HANDLER = signal.SIG_DFL

    def __enter__(self) -> "StopSignal":
        self._previous = signal.signal(signal.SIGTERM, self._note)
        return self

    def __exit__(self, *_: object) -> None:
        signal.signal(signal.SIGTERM, self._previous)

    @property
    def asked(self) -> bool:
        """Whether to leave; files are looked at once a second."""
        now = time.monotonic()
        if not self._signalled and now - self._looked > _LOOK_SECONDS:
            self._looked, self._signalled = now, must_end()
        return self._signalled

    def _note(self, _signum: int, _frame: FrameType | None) -> None:
        self._signalled = True
