"""Why a run ends before its work is done, and the one way in which it then ends.

Signals and watchers of other threads ask; the main thread raises KeyboardInterrupt and
leaves through its ``finally`` clauses, in which further signals do nothing: all they
wait for has a time limit.
"""

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

STOPS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
SAME_WISH_S = 2.0
"""Signals so close are one wish: ``timeout`` signals the driver and then its group."""


class Ending:
    """Whether a run is to end now, and why if nobody asked for it."""

    def __init__(self) -> None:
        self.asked = False
        self.reason: str | None = None
        self.closing = False
        self.folder_gone = False
        self._held = False
        self._raised = -SAME_WISH_S
        self._lock = threading.Lock()

    def because(self, reason: str) -> None:
        """End the run for ``reason``, a sentence; from any thread, the first counts."""
        with self._lock:
            if self.asked:
                return
            self.reason, self.asked = reason, True
        self.remind()

    def await_reason(self, most_s: float = 5.0) -> None:
        """Wait until the run is to end: a guard sees in a second what failed here."""
        until = time.monotonic() + most_s
        while not self.asked and time.monotonic() < until:
            time.sleep(0.05)

    def remind(self) -> None:
        """Interrupt the main thread (again), unless it leaves already."""
        if not self.closing:
            main = threading.main_thread().ident
            assert main is not None
            # to that thread: another would take the signal without waking it
            signal.pthread_kill(main, signal.SIGTERM)

    @contextmanager
    def on_signals(self) -> Iterator[None]:
        """Hear SIGTERM, SIGINT and SIGHUP for as long as this is entered."""
        # SIGINT even if ignored: a driver started in the background inherits that;
        # an ignored SIGHUP is a person's wish, by nohup
        heard = list(STOPS[:2])
        if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:
            heard.append(signal.SIGHUP)
        before = [signal.signal(stop, self._hear) for stop in heard]
        try:
            yield
        finally:
            for stop, handler in zip(heard, before, strict=True):
                signal.signal(stop, handler)

    @contextmanager
    def held(self) -> Iterator[None]:
        """Let what is inside end first, even if it fails because of the signal."""
        self._held = True
        try:
            yield
        finally:
            self._held = False
            if self.asked:
                self._raise()

    def close(self) -> None:
        """Begin to leave: from now on signals do nothing."""
        self.closing = True

    def _hear(self, _signum: int, _frame: FrameType | None) -> None:
        self.asked = True
        if not self._held:
            self._raise()

    def _raise(self) -> None:
        now = time.monotonic()
        if self.closing or now - self._raised < SAME_WISH_S:
            return
        self._raised = now
        raise KeyboardInterrupt
