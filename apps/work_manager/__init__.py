"""A WESTPA work manager whose tasks are Parsl tasks; weft itself does not need it."""

from apps.work_manager.futures import ParslFuture, RemoteTraceback
from apps.work_manager.manager import ParslWorkManager, register

__all__ = ["ParslFuture", "ParslWorkManager", "RemoteTraceback", "register"]
