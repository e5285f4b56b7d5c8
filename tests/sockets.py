"""Which sockets the processes of a run listen on, looked at while it runs."""

import json
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import IPv6Address, ip_address
from pathlib import Path
from typing import Any

import psutil

EVERY_S = 0.4


@contextmanager
def watching_sockets(below: Path, note: Path) -> Iterator[None]:
    """Note what runs below a folder listen on, with their open stages, in ``note``."""
    over, found = threading.Event(), Found()

    def watch() -> None:
        while not over.wait(EVERY_S):
            found.look(below)

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield
    finally:
        over.set()
        watcher.join()
        note.write_text(json.dumps(found.as_json()))


def is_loopback(address: str) -> bool:
    """Tell whether only this host reaches an address; ZeroMQ maps IPv4 into IPv6."""
    found = ip_address(address)
    mapped = found.ipv4_mapped if isinstance(found, IPv6Address) else None
    return (mapped or found).is_loopback


class Found:
    """What was seen so far."""

    def __init__(self) -> None:
        self.sockets: set[tuple[str, str, int]] = set()
        self.stages: set[str] = set()

    def look(self, below: Path) -> None:
        """Look once at every process of every run."""
        for run_dir in below.rglob("ledger.jsonl"):
            processes = find_processes(run_dir.parent)
            if processes:
                self.stages |= open_stages(run_dir)
            for process in processes:
                self.sockets |= listening(process)

    def as_json(self) -> dict[str, Any]:
        return {"sockets": sorted(self.sockets), "stages": sorted(self.stages)}


def find_processes(run_dir: Path) -> list[psutil.Process]:
    """Return the driver of a run, and all that carry its name."""
    found = []
    driver = run_dir / "driver.json"
    pid = json.loads(driver.read_text())["pid"] if driver.exists() else None
    for process in psutil.process_iter():
        try:
            own = process.environ().get("WEFT_RUN_DIR") == str(run_dir)
        except psutil.Error:
            continue
        if (own or process.pid == pid) and process.pid != os.getpid():
            found.append(process)
    return found


def listening(process: psutil.Process) -> set[tuple[str, str, int]]:
    """Return (program, address, port) of what a process can be reached by."""
    try:
        name = " ".join(process.cmdline()[:5])
        connections = process.net_connections(kind="inet")
    except psutil.Error:
        return set()
    return {
        (name, connection.laddr.ip, connection.laddr.port)
        for connection in connections
        if connection.status == psutil.CONN_LISTEN
        or (connection.laddr and not connection.raddr
            and connection.status == psutil.CONN_NONE)
    }  # fmt: skip


def open_stages(ledger: Path) -> set[str]:
    """Return the stages that have begun and not ended."""
    found: set[str] = set()
    for line in ledger.read_text().splitlines():
        entry = json.loads(line)
        if entry["event"] == "started":
            found.add(entry["stage"])
        elif entry["event"] in ("done", "failed"):
            found.discard(entry["stage"])
    return found
