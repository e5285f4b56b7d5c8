"""Where the processes of one training meet: a folder that only its user can read.

They find each other through files in it, so that nothing listens for strangers. What
they then say to each other goes over one network interface: the loopback where all are
on one node.
"""

import fcntl
import os
import shutil
import socket
import sys
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import psutil

from apps.science.errors import ConfigError

MEETING_VARIABLE: Final = "WEFT_MEETING"
INTERFACE_VARIABLE: Final = "WEFT_INTERFACE"
"""Set by a site whose file names an interface."""

PYTHON: Final = (sys.executable, "-P", "-m")
"""Start of our commands; the folder they run in is no place to import from."""

PREFIX: Final = ".meeting-"
_FAILED: Final = "failed"

ALONE: Final = 5
"""Exit status of a process that went because another was gone."""


@dataclass(frozen=True)
class Place:
    """Where this process stands among all of its training."""

    rank: int = 0
    size: int = 1
    folder: Path | None = None


def read_place(environ: Mapping[str, str] = os.environ) -> Place:
    """Return the place that ``start_ranks`` gave to this process, or that of one alone.

    Other programs set RANK and WORLD_SIZE too; they count only beside a meeting.
    """
    folder = environ.get(MEETING_VARIABLE)
    if folder is None:
        return Place()
    return Place(int(environ["RANK"]), int(environ["WORLD_SIZE"]), Path(folder))


class Meeting:
    """The folder, for the one on each node that starts processes there.

    Parameters
    ----------
    folder : seen by all nodes; None makes one for this node alone

    Raises
    ------
    ConfigError
        If the folder cannot be used.
    """

    def __init__(self, folder: Path | None, n_nodes: int) -> None:
        if folder is None:
            folder = Path(tempfile.mkdtemp(prefix="weft-meeting-"))
        self.folder, self.n_nodes = folder, n_nodes
        try:
            folder.mkdir(mode=0o700, exist_ok=True)
            self.node = self._take_number()
            self._check_locks()
        except OSError as error:
            raise ConfigError(
                f"The processes of a training meet in {folder}, which cannot be used: "
                f"{error.strerror or error}. It has to be on a file system with file "
                "locks that all nodes of the training see."
            ) from None

    def _take_number(self) -> int:
        """Return which of the nodes this is: the first to come is node 0."""
        for number in range(self.n_nodes):
            try:
                (self.folder / f"node-{number}").touch(mode=0o600, exist_ok=False)
            except FileExistsError:
                continue
            return number
        raise ConfigError(
            f"More than {self.n_nodes} nodes came to {self.folder}. Does the site's "
            "launcher start one process on each node?"
        )

    def _check_locks(self) -> None:
        """Try what torch's store does, which would wait for long where it cannot."""
        with (self.folder / f"lock-{self.node}").open("w") as probe:
            fcntl.flock(probe, fcntl.LOCK_EX)

    def note_failure(self) -> None:
        """Tell the other nodes that the training has failed here."""
        with suppress(OSError):  # cleared already
            (self.folder / _FAILED).touch()

    @property
    def failed(self) -> bool:
        """Whether another node has failed, or another start has cleared this one."""
        return not self.folder.is_dir() or (self.folder / _FAILED).exists()

    def close(self) -> None:
        """Remove what is left; of several nodes the last to go does it."""
        with suppress(OSError):  # cleared already
            (self.folder / f"node-{self.node}.left").touch()
        if len(list(self.folder.glob("*.left"))) == self.n_nodes:
            shutil.rmtree(self.folder, ignore_errors=True)


def clear_meetings(folder: Path) -> None:
    """Remove the meetings in ``folder`` that earlier starts left; theirs are over."""
    for old in folder.glob(f"{PREFIX}*"):
        shutil.rmtree(old, ignore_errors=True)


def network_variables(
    n_nodes: int, environ: Mapping[str, str] = os.environ
) -> dict[str, str]:
    """Return the variables that keep gloo and NCCL to one network interface."""
    if n_nodes == 1:
        name = _interface_of({"127.0.0.1"}) or "lo"
        # NCCL takes names for prefixes unless told
        return {"GLOO_SOCKET_IFNAME": name, "NCCL_SOCKET_IFNAME": f"={name}"}
    asked = environ.get(INTERFACE_VARIABLE)
    known = asked if asked in _addresses().values() else None
    found: dict[str, str] = {}
    if "GLOO_SOCKET_IFNAME" not in environ:
        found["GLOO_SOCKET_IFNAME"] = known or _choose_interface()
    if known and "NCCL_SOCKET_IFNAME" not in environ:
        found["NCCL_SOCKET_IFNAME"] = f"={known}"  # else its own choice is better
    return found


def _addresses() -> dict[str, str]:
    """Return the interface of each IPv4 address of this node."""
    return {
        item.address: name
        for name, items in psutil.net_if_addrs().items()
        for item in items
        if item.family == socket.AF_INET
    }


def _interface_of(asked: set[str]) -> str | None:
    return next((n for a, n in _addresses().items() if a in asked), None)


def _choose_interface() -> str:
    """Return the interface by which other nodes are likely to reach this one."""
    tried = (_ask_name(), _ask_route(), set(_addresses()))
    for found in tried:
        name = _interface_of({a for a in found if not a.startswith("127.")})
        if name:
            return name
    return _interface_of({"127.0.0.1"}) or "lo"


def _ask_name() -> set[str]:
    """Return the addresses that this node's name stands for, none if it has none."""
    try:
        found = socket.getaddrinfo(socket.gethostname(), None, socket.AF_INET)
    except OSError:
        return set()
    return {str(item[4][0]) for item in found}


def _ask_route() -> set[str]:
    """Return the address that the default route leaves from; nothing is sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("203.0.113.1", 9))
        except OSError:
            return set()
        return {str(probe.getsockname()[0])}
