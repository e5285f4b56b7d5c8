"""Futures of the Parsl work manager, and how a worker's traceback reaches them."""

from typing import Any

from westpa.work_managers.core import WMFuture

from apps.science.errors import StageError

TRACEBACK_ATTRIBUTE = "remote_traceback"
"""Where an exception carries the text of its worker's traceback."""


class RemoteTraceback(Exception):  # noqa: N818 - a text to show, not a failure
    """What the worker's traceback said; the cause of the exception it shows."""

    def __str__(self) -> str:
        return f'\n"""\n{self.args[0]}"""'


class ParslFuture(WMFuture):  # type: ignore[misc]
    """A task's result to come; task ids count from 1, so that runs repeat."""

    _done: bool
    _result: Any
    _exception: BaseException | None
    _traceback: str | None

    def get_result(self, discard: bool = True) -> Any:
        """Wait for the result and return it; ``discard`` forgets it afterwards.

        Raises
        ------
        Exception
            What the task raised, with the worker's traceback as its cause.
        StageError
            If the result was discarded before.
        """
        self.wait()
        if self._exception is not None:
            raise self._exception
        if not hasattr(self, "_result"):
            raise StageError(
                f"The result of task {self.task_id} was taken and discarded before. "
                "Take it with get_result(discard=False) to read it again."
            )
        result = self._result
        if discard:
            del self._result
        return result

    def get_traceback(self) -> str | None:
        """Wait for the task; return the worker's traceback, None if it succeeded."""
        self.wait()
        return self._traceback

    traceback = property(get_traceback)
