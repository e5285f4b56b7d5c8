"""A second label on one executor, so that roles can share its workers.

Parsl binds a label to one executor. On a laptop md, train and analysis must share
one pool, or three pools would each take all the cores.
"""

from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

from parsl.executors.base import ParslExecutor


class RoleAlias(ParslExecutor):  # type: ignore[misc]
    """Passes the tasks of one role to the executor that another role started."""

    def __init__(self, label: str, target: ParslExecutor) -> None:
        super().__init__()
        self.label = label
        self.target = target
        self.remote_monitoring_radio = target.remote_monitoring_radio
        self.storage_access = getattr(target, "storage_access", None)
        self.working_dir = getattr(target, "working_dir", None)

    def __repr__(self) -> str:
        return f"RoleAlias(label={self.label!r}, target={self.target.label!r})"

    def submit(
        self,
        func: Callable[..., Any],
        resource_specification: dict[str, Any],
        *args: Any,
        **kwargs: Any,
    ) -> Future[Any]:
        """Run the task on the shared workers."""
        future: Future[Any] = self.target.submit(
            func, resource_specification, *args, **kwargs
        )
        return future

    def shutdown(self) -> None:
        """Leave the workers to the executor that owns them."""
        super().shutdown()

    def monitor_resources(self) -> bool:
        """Say what the shared executor says."""
        return bool(self.target.monitor_resources())
